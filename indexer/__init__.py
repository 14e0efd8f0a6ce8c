"""The floor of the house: what an archive is, where each member lies, and how to read it.

Nothing in here knows who asks (a door) or who wrote (the archiver).
"""
