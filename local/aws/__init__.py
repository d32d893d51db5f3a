"""The AWS services that the app uses, live on one machine. Nothing in here imports anything of the app."""
