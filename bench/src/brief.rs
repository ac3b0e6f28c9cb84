//! Briefs with a given number of chapters, and so of tasks.

/// Text of the brief.
pub(crate) const BRIEF: &str = "# A guide\n\nSummarise the attached chronicle chapter by chapter.\n\n## What to deliver\n\n- One file `guide.md` with a section for each chapter.\n";

/// A document with `chapters` short chapters.
pub(crate) fn text(chapters: u32) -> String {
    let chapter = |number: u32| {
        let body = format!("The bridge of ward {number} was rebuilt by the guild because the old stones had cracked. ").repeat(12);
        format!("## Chapter {number}: Ward {number}\n\n{body}\n\n")
    };
    format!(
        "# The chronicle\n\n{}",
        (1..=chapters).map(chapter).collect::<String>()
    )
}
