"""Ten thousand sites that are not there: what answers in their place, and what is measured."""
