//! Examples of the demo. Their texts are in the binary, so that the demo needs no file beside it.

use chorus_api::SubmissionOptions;
use chorus_client::Upload;

use crate::cli::DemoExample;

/// A brief with its attachments, by name.
struct Example {
    brief: &'static str,
    attachments: &'static [(&'static str, &'static str)],
}

/// A text below the folder of the examples.
macro_rules! text {
    ($path:literal) => {
        include_str!(concat!("../../../../../examples/", $path))
    };
}

const LONG_DOCUMENT: Example = Example {
    brief: text!("long-document/brief.md"),
    attachments: &[("book.md", text!("long-document/docs/book.md"))],
};

const SOFTWARE_PROJECT: Example = Example {
    brief: text!("software-project/brief.md"),
    attachments: &[
        ("bodies.md", text!("software-project/docs/bodies.md")),
        (
            "interfaces.md",
            text!("software-project/docs/interfaces.md"),
        ),
    ],
};

const VAGUE: Example = Example {
    brief: text!("vague-vi/brief.md"),
    attachments: &[],
};

/// Submission of an example.
pub(super) fn upload(example: DemoExample) -> Upload {
    let Example { brief, attachments } = match example {
        DemoExample::LongDocument => LONG_DOCUMENT,
        DemoExample::SoftwareProject => SOFTWARE_PROJECT,
        DemoExample::VagueVi => VAGUE,
    };
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    Upload {
        brief: brief.to_owned(),
        attachments: attachments.iter().map(owned).collect(),
        options: SubmissionOptions::default(),
    }
}
