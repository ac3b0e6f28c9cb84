//! What must not be lost: an SQL store over SQLite and PostgreSQL, and the model of it in memory.
