"""Virtual iPhones and iPads behind a usbmuxd: they speak the real wire protocols (facts, iOS §4)."""
