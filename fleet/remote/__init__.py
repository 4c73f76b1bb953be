"""Far away: releases, the sites that are to have them, and how they get there over SSH."""
