"""What lies in a file of each format, read from its bytes without its framework; one file each."""
