"""iPhones and iPads, through pymobiledevice3 over usbmuxd."""
