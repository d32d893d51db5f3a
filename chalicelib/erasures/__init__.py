"""Erase tweets that their authors deleted, from the warehouse's rows and from every object that holds a copy."""
