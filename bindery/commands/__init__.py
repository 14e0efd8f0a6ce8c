"""One subcommand a file: its arguments, what it calls, and how the answer looks."""
