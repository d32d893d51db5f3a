"""Find situations: a kind of disaster at a place with far more distinct texts than usual."""
