//! What a person reads: the terminal, the events.
