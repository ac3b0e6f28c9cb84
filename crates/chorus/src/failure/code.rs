//! The table of the command line's error codes.

use crate::exit::Exit;

/// Row of the table.
pub(crate) struct Entry {
    /// Stable name; `docs/errors/<name>.md` explains it.
    pub(crate) name: &'static str,
    pub(crate) exit: Exit,
    /// Advice for a person.
    pub(crate) advice: &'static str,
}

/// Declares the codes and their table in one place.
macro_rules! error_codes {
    ($($variant:ident, $name:literal, $exit:ident, $advice:literal;)*) => {
        /// Code of an error of the command line.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ErrorCode {
            $($variant,)*
        }

        impl ErrorCode {
            /// Every code, for the test of their pages.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// [`Entry`] of this code.
            pub(crate) const fn entry(self) -> Entry {
                match self {
                    $(Self::$variant => Entry {
                        name: $name,
                        exit: Exit::$exit,
                        advice: $advice,
                    },)*
                }
            }
        }
    };
}

error_codes! {
    CommandFailed, "command_failed", Failed, "read the message; with CHORUS_LOG_LEVEL=debug the log has more";
    BriefEmpty, "brief_empty", Input, "write what is to be made into the brief, then run again";
    BriefTooLong, "brief_too_long", Input, "move long texts into files and attach them with --attach, or raise project.max_brief_bytes";
    BriefNotText, "brief_not_text", Input, "save the brief as UTF-8 text";
    AttachmentTooLarge, "attachment_too_large", Input, "split the file, or raise project.max_attachment_bytes";
    AttachmentNotText, "attachment_not_text", Input, "convert the file to UTF-8 text, for instance .md or .txt";
    AttachmentRefused, "attachment_refused", Input, "attach each file once, under a plain relative name";
    FileUnreadable, "file_unreadable", Input, "check the path and its permissions";
    FolderEmpty, "folder_empty", Input, "name a folder that holds at least one file";
    InvalidId, "invalid_id", Input, "see `chorus project list` for the ids of your projects, `chorus key list` for those of keys";
    InvalidServer, "invalid_server", Input, "give --server as http://HOST:PORT or https://HOST:PORT; several with commas between them";
    InvalidArgument, "invalid_argument", Input, "see the command's --help";
    AccountsFileInvalid, "accounts_file_invalid", Input, "use accounts.toml, or accounts.csv with the columns email,provider,key";
    NoSuchKey, "no_such_key", Failed, "see `chorus key list`, and --tenant for keys of another tenant";
    NoSuchDeadLetter, "no_such_dead_letter", Failed, "see `chorus dlq list`";
    CommandRefused, "command_refused", Failed, "see `chorus project show ID` for the state of the project";
    FileExists, "file_exists", Input, "choose another file, or move this one away";
    NoAccount, "no_account_imported", Failed, "set a key, for instance DEEPSEEK_API_KEY, ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENROUTER_API_KEY, or import accounts with `chorus account import accounts.toml`; `chorus demo` needs none";
    ServerUnavailable, "server_unavailable", Unavailable, "check that the server runs and can be reached, then run the same command again";
    NoGateway, "no_gateway", Failed, "check that the address is that of a Chorus gateway of a compatible release";
    FileCorrupt, "file_corrupt", Failed, "take the deliverable again; a proxy on the way may change content";
    DatabaseUnavailable, "database_unavailable", Unavailable, "check that the database runs; `chorus doctor` says what is missing";
    StoreFailed, "store_failed", Failed, "free some space if the disk is full; `chorus doctor` examines the database";
    DataFolderBusy, "data_folder_busy", Failed, "end the other process, use its server, or choose another folder with --data";
    OutputUnwritable, "output_unwritable", Failed, "free some room or choose another --out, then resume";
    CannotListen, "cannot_listen", Failed, "choose another address, or end the process that listens on it";
    EnvelopeKey, "envelope_key", Configuration, "restore the key from its backup, or name it with data.key_file or CHORUS_DATA_KEY";
    ConfigurationInvalid, "configuration_invalid", Configuration, "correct the key; chorus.default.toml explains every key";
    ServicesNotShared, "services_not_shared", Configuration, "configure what the processes share, or use `chorus serve`, which runs all roles in one process";
    ServiceEnded, "service_ended", Failed, "read the log above the message; start the process again";
    ShutdownTooSlow, "shutdown_too_slow", Failed, "nothing is lost; raise drain.seconds if calls usually take longer";
}
