"""Small programs that run inside the measuring process or on the device: one runtime and numpy each."""
