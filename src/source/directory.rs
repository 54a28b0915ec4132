//! An archive in a directory that mirrors a bucket.
