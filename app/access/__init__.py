"""Access to the console: the password, its sessions, and the limit of failed attempts."""
