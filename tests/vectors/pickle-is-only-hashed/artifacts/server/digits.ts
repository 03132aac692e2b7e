€cposix
system
Œtouch was-executed…R.