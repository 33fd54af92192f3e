"""The commands of `pinrelay`, a file for each group; every file has `register(cli)`."""
