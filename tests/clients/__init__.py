"""Real clients, each reading through a real door what Bindery serves; `docs/clients.md` is the table of it."""
