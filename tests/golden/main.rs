//! The nets hold torch's numbers.
