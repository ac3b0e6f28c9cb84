//! Numbers as chapters bear them: digits of any script, Roman numerals, words of many languages.

use crate::numerals;

/// Beginnings of words for one to twelve and some tens, lower case: `drei`, `dritter`, `третья`, `tercero`.
const WORDS: &[&str] = &[
    // English ordinals; cardinals are in `numerals`.
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "last", // Vietnamese
    "nhất",
    "một",
    "hai",
    "nhì",
    "ba",
    "bốn",
    "tư",
    "năm",
    "sáu",
    "bảy",
    "tám",
    "chín",
    "mười",
    "cuối",
    // German
    "eins",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "erste",
    "zweite",
    "dritte",
    "vierte",
    "fünfte",
    "sechste",
    "siebte",
    "siebente",
    "achte",
    "neunte",
    "zehnte",
    "elfte",
    "zwölfte",
    "letzte", // French
    "premier",
    "première",
    "deuxième",
    "seconde",
    "troisième",
    "quatrième",
    "cinquième",
    "sixième",
    "septième",
    "huitième",
    "neuvième",
    "dixième",
    "dernier",
    "dernière",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze", // Spanish, Portuguese, Italian
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "primer",
    "segund",
    "tercer",
    "cuart",
    "quint",
    "sext",
    "séptim",
    "octav",
    "noven",
    "décim",
    "um",
    "dois",
    "três",
    "quatro",
    "sete",
    "oito",
    "nove",
    "dez",
    "primeir",
    "terceir",
    "quart",
    "sétim",
    "oitav",
    "non",
    "últim",
    "due",
    "tre",
    "quattro",
    "cinque",
    "sei",
    "otto",
    "dieci",
    "prim",
    "second",
    "terz",
    "sest",
    "settim",
    "ottav",
    "decim",
    "ultim", // Dutch and the north
    "een",
    "twee",
    "drie",
    "vijf",
    "zes",
    "zeven",
    "negen",
    "tien",
    "eerste",
    "tweede",
    "derde",
    "vierde",
    "ett",
    "två",
    "tre",
    "fyra",
    "fem",
    "första",
    "andra",
    "tredje",
    "fjärde",
    "første",
    "anden",
    "andre",
    "fjerde",
    "yksi",
    "kaksi",
    "kolme",
    "ensimmäinen",
    "toinen",
    "kolmas", // Polish, Czech, Hungarian
    "pierwsz",
    "drug",
    "trzec",
    "czwart",
    "piąt",
    "szóst",
    "siódm",
    "ósm",
    "dziewiąt",
    "dziesiąt",
    "prvn",
    "druh",
    "třet",
    "čtvrt",
    "pát",
    "šest",
    "sedm",
    "osm",
    "devát",
    "desát",
    "első",
    "második",
    "harmadik",
    "negyedik",
    "ötödik",
    "hatodik",
    "hetedik",
    "nyolcadik",
    "kilencedik",
    "tizedik", // Romanian, Turkish
    "întâi",
    "doi",
    "trei",
    "patru",
    "cinci",
    "bir",
    "iki",
    "üç",
    "dört",
    "beş",
    "altı",
    "yedi",
    "sekiz",
    "dokuz",
    "on",
    "birinci",
    "ikinci",
    "üçüncü",
    "dördüncü",
    "beşinci",
    "altıncı",
    "yedinci",
    "sekizinci",
    "dokuzuncu",
    "onuncu", // Russian, Ukrainian, Bulgarian, Serbian
    "перв",
    "втор",
    "трет",
    "четвёрт",
    "четверт",
    "пят",
    "шест",
    "седьм",
    "восьм",
    "девят",
    "десят",
    "одиннадцат",
    "двенадцат",
    "тринадцат",
    "двадцат",
    "последн",
    "перш",
    "друг",
    "п'ят",
    "шост",
    "сьом",
    "дев'ят",
    "първ",
    "четвърт",
    "пет",
    "седм",
    "осм",
    "один",
    "два",
    "две",
    "три",
    "четыре",
    "прв",
    "трећ",
    // Greek
    "πρώτ",
    "δεύτερ",
    "τρίτ",
    "τέταρτ",
    "πέμπτ",
    "έκτ",
    "έβδομ",
    "όγδο",
    "ένατ",
    "δέκατ",
    // Arabic, Persian, Hebrew
    "الأول",
    "الاول",
    "الأولى",
    "الثان",
    "الثالث",
    "الرابع",
    "الخامس",
    "السادس",
    "السابع",
    "الثامن",
    "التاسع",
    "العاشر",
    "الحادي",
    "الأخير",
    "اول",
    "دوم",
    "سوم",
    "چهارم",
    "پنجم",
    "ششم",
    "هفتم",
    "هشتم",
    "نهم",
    "دهم",
    "ראשון",
    "ראשונה",
    "שני",
    "שלישי",
    "רביעי",
    "חמישי", // Hindi, Bengali
    "एक",
    "दो",
    "तीन",
    "चार",
    "पाँच",
    "पांच",
    "पहला",
    "दूसरा",
    "तीसरा",
    "चौथा",
    "पाँचवाँ",
    "प्रथम",
    "द्वितीय",
    "तृतीय",
    "প্রথম",
    "দ্বিতীয়",
    "তৃতীয়",
    "এক",
    "দুই",
    "তিন", // Indonesian, Filipino, Thai
    "satu",
    "dua",
    "tiga",
    "empat",
    "lima",
    "enam",
    "tujuh",
    "delapan",
    "sembilan",
    "sepuluh",
    "pertama",
    "kedua",
    "ketiga",
    "isa",
    "dalawa",
    "tatlo",
    "หนึ่ง",
    "สอง",
    "สาม",
    "สี่",
    "ห้า",
    "หก",
    "เจ็ด",
    "แปด",
    "เก้า",
    "สิบ",
    // Latin
    "primus",
    "secundus",
    "tertius",
    "quartus",
    "quintus",
];

/// Most letters that an ending may add to one of [`WORDS`].
const ENDING: usize = 6;

/// Returns true for the number of a chapter, in lower case.
pub(super) fn is_number(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ')', '\'', '’', '΄', '´']);
    if word.is_empty() {
        return false;
    }
    let is_digits = word
        .chars()
        .all(|letter| letter.is_numeric() || letter == '.')
        && word.starts_with(char::is_numeric);
    let is_letter = {
        let mut letters = word.chars();
        letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
    };
    is_digits || is_letter || is_roman(word) || is_number_word(word)
}

/// Returns true for a word that counts and stands before its noun, in lower case. Words of one
/// language before nouns of another are no matter.
pub(super) fn is_ordinal(word: &str, level: u8) -> bool {
    let is_short = word.chars().count() <= 3;
    is_number_word(word) && !(is_short && level == 1)
}

/// Returns true for a Roman numeral of at most eight letters, in lower case.
pub(super) fn is_roman(word: &str) -> bool {
    let is_latin = word.len() <= 8 && word.bytes().all(|byte| b"ivxlc".contains(&byte));
    // Russian typists use Cyrillic letters of the same shape, and Unicode has numerals of its own.
    let is_alike = word.chars().count() <= 8
        && word
            .chars()
            .all(|letter| "іхiivxlc".contains(letter) || ('ⅰ'..='ⅿ').contains(&letter));
    !word.is_empty() && (is_latin || is_alike)
}

/// Returns true for a word that counts, in lower case.
pub(super) fn is_number_word(word: &str) -> bool {
    let is_english = numerals::SMALL[1..]
        .iter()
        .chain(&numerals::TENS)
        .any(|number| {
            word == *number
                || word
                    .strip_prefix(number)
                    .is_some_and(|rest| rest.starts_with('-'))
        });
    let begins = |number: &&str| {
        word.strip_prefix(*number).is_some_and(|rest| {
            let added = rest.chars().count();
            added == 0
                || (number.chars().count() >= 3
                    && added <= ENDING
                    && rest.chars().all(char::is_alphabetic))
        })
    };
    is_english || WORDS.iter().any(begins)
}

/// Returns true for a numeral of Chinese, Japanese or Korean, in words.
pub(super) fn is_cjk_digit(letter: char) -> bool {
    "〇零一二三四五六七八九十百千两兩廿卅壹贰叁肆伍陆柒捌玖拾上中下일이삼사오육칠팔구십백"
        .contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_chapters_are_written_in_many_ways() {
        for number in [
            "1",
            "12",
            "๑",
            "١٢",
            "१",
            "iv",
            "xl",
            "ⅳ",
            "хii",
            "seven",
            "twenty",
            "thirty-one",
            "first",
            "cuối",
            "erstes",
            "dritter",
            "première",
            "primo",
            "segunda",
            "первая",
            "третья",
            "birinci",
            "الأول",
            "α",
        ] {
            assert!(is_number(number), "{number}");
        }
        for word in ["", "storm", "ivory", "1a", "-", "the", "leuchtturm", "море"] {
            assert!(!is_number(word), "{word}");
        }
    }
}
