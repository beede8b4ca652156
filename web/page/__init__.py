"""The dashboard page and its files. No tenant data and no token is ever put into them."""
