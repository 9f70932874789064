//! Weight files: readers, name maps, the load report.
