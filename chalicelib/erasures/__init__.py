"""Erases what its author has deleted: from the warehouse's rows and from every object that holds a copy."""
