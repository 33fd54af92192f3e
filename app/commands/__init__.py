"""The commands of `pinrelay`, a file for each group; app/cli.py names them."""
