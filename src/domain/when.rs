//! Times as people and programs write them, read into UTC. Never a guess.
