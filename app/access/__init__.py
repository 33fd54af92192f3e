"""Who may look and operate: the password, its sessions, and how often it may be got wrong."""
