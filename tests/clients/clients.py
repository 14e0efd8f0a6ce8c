"""All clients, in the order of the table."""

from typing import Final

from tests.clients.command_lines import COMMAND_LINES
from tests.clients.libraries import LIBRARIES

CLIENTS: Final = (*COMMAND_LINES, *LIBRARIES)
ORDER: Final = [(client.name, operation) for client in CLIENTS for operation in client.operations]
VISITS: Final = [(client, door) for client in CLIENTS for door in client.doors]
NOT_AT: Final = {(client.name, door): why for client in CLIENTS for door, why in client.not_at.items()}
