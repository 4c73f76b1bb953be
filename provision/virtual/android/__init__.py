"""Virtual Android phones and tablets: the device side of adb, played as the phones really behave."""
