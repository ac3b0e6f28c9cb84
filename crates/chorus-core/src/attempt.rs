//! The attempt machine as a table of arrows. The rows live in a store and every arrow is one guarded
//! statement there; this table is what the statements are held against.
