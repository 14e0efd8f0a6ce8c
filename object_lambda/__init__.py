"""Serves members: one service behind an Object Lambda function and an HTTP gateway."""
