"""What runs inside `.venv-clients` (`python -m tests.clients.programs NAME PLACE`): one module for each library."""
