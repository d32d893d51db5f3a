"""Emulate the AWS services that the app uses, on one machine. Nothing in here imports anything of the app."""
