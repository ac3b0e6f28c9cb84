//! Simulated translation: word by word with a small dictionary, and marked as such in the result.

use std::collections::BTreeMap;

use super::text::Language;

/// English function words and everyday words with a Vietnamese rendering.
const PAIRS: &str = "a=một;an=một;the=;and=và;or=hoặc;but=nhưng;not=không;no=không;of=của;in=trong;on=trên;at=tại;to=đến;from=từ;by=bởi;for=cho;\
with=với;without=không có;into=vào;over=qua;under=dưới;above=trên;below=dưới;between=giữa;before=trước;after=sau;during=trong khi;\
when=khi;where=nơi;while=trong khi;because=vì;if=nếu;then=rồi;than=hơn;as=như;so=nên;that=rằng;which=mà;who=người mà;what=điều gì;this=này;these=những này;\
those=những kia;there=ở đó;here=ở đây;is=là;are=là;was=đã là;were=đã là;be=là;been=đã;has=có;have=có;had=đã có;does=làm;did=đã làm;\
can=có thể;could=có thể;will=sẽ;would=sẽ;must=phải;should=nên;may=có thể;might=có thể;it=nó;its=của nó;he=ông;she=bà;they=họ;we=chúng ta;his=của ông;her=của bà;\
their=của họ;our=của chúng ta;one=một;two=hai;three=ba;four=bốn;five=năm;six=sáu;seven=bảy;eight=tám;nine=chín;ten=mười;hundred=trăm;thousand=nghìn;\
tide=triều;tidal=triều;gate=cửa;mill=cối xay;range=biên độ;surge=nước dâng;storm=bão;stop=chặn;log=gỗ;well=giếng;stilling=lặng;spring=cường;neap=kém;sounding=phép đo sâu;\
sluice=cống;sill=ngưỡng;cycle=chu kỳ;lock=âu tàu;zone=vùng;hydraulic=thủy lực;main=đường ống chính;fish=cá;pass=lối đi;cofferdam=đê quai;caisson=giếng chìm;turbine=tua bin;bulb=bóng;\
barrage=đập chắn;apron=sân tiêu năng;accumulator=bộ tích áp;slack=đứng;intertidal=gian triều;nodal=giao điểm;double=kép;scour=xói mòn;relief=chênh lệch;overtopping=tràn đỉnh;head=cột nước;datum=mốc;haven=bến cảng;lens=thấu kính;freeboard=độ vượt cao;\
flushing=xả rửa;power=điện;firm=chắc chắn;ebb=triều rút;flood=triều lên;generation=phát điện;working=vận hành;character=đặc tính;factor=hệ số;capacity=công suất;wicket=cánh;prism=lăng trụ;constituent=thành phần;\
basin=lưu vực;channel=luồng;gauge=thước đo;level=mức;pressure=áp lực;pump=bơm;valve=van;beam=tia;lamp=đèn;lantern=lồng đèn;wall=tường;dam=đập;pier=trụ;quay=bến;silt=bùn;sand=cát;mud=bùn;salt=muối;\
current=dòng chảy;wave=sóng;depth=độ sâu;height=chiều cao;weight=trọng lượng;wheel=bánh xe;wing=cánh;rate=tỷ lệ;line=đường;point=điểm;table=bảng;map=bản đồ;key=chìa khóa;door=cửa;window=cửa sổ;frame=khung;\
first=đầu tiên;second=thứ hai;third=thứ ba;last=cuối cùng;new=mới;old=cũ;great=lớn;large=lớn;small=nhỏ;long=dài;short=ngắn;high=cao;low=thấp;deep=sâu;\
day=ngày;night=đêm;year=năm;years=năm;month=tháng;week=tuần;hour=giờ;hours=giờ;time=thời gian;water=nước;sea=biển;river=sông;land=đất;wind=gió;fire=lửa;\
light=ánh sáng;stone=đá;iron=sắt;wood=gỗ;house=nhà;town=thị trấn;city=thành phố;road=đường;ship=tàu;boat=thuyền;man=người đàn ông;men=người;woman=phụ nữ;\
people=mọi người;child=đứa trẻ;children=trẻ em;work=công việc;name=tên;word=từ;words=từ;book=cuốn sách;story=câu chuyện;chapter=chương;all=tất cả;every=mỗi;\
each=mỗi;many=nhiều;much=nhiều;more=hơn;most=nhất;few=ít;some=một số;any=bất kỳ;other=khác;same=cùng;only=chỉ;also=cũng;very=rất;again=lại;never=không bao giờ;\
always=luôn luôn;often=thường;now=bây giờ;still=vẫn;already=đã;made=đã làm;make=làm;came=đã đến;come=đến;went=đã đi;go=đi;said=đã nói;say=nói;wrote=đã viết;\
write=viết;read=đọc;saw=đã thấy;see=thấy;knew=đã biết;know=biết;found=đã tìm thấy;find=tìm thấy;took=đã lấy;take=lấy;gave=đã cho;give=cho;built=đã xây;build=xây";

/// Translates paragraphs as far as the dictionary goes; the first line of the result states that.
pub(super) fn translate(
    paragraphs: &[String],
    target: &str,
    glossary: &BTreeMap<String, String>,
) -> String {
    let vietnamese =
        target.to_lowercase().starts_with("viet") || target.to_lowercase().contains("việt");
    let marker = if vietnamese {
        "> Bản dịch mô phỏng, từng từ một, do mô hình giả lập tạo ra.".to_owned()
    } else {
        format!("> Simulated rendering into {target}, word by word, made by a simulated model.")
    };
    let dictionary = if vietnamese {
        dictionary()
    } else {
        BTreeMap::new()
    };
    let rendered = paragraphs
        .iter()
        .map(|paragraph| paragraph_of(paragraph, &dictionary, glossary));
    std::iter::once(marker)
        .chain(rendered)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// Target language in the instructions.
pub(super) fn target(instructions: &str) -> String {
    let wanted = ["into ", "in ", "sang tiếng "].iter().find_map(|word| {
        let mut rest = instructions;
        while let Some((_, tail)) = rest.split_once(word) {
            let name: String = tail
                .chars()
                .take_while(|letter| letter.is_alphabetic())
                .collect();
            if name.chars().next().is_some_and(char::is_uppercase) {
                return Some(name);
            }
            rest = tail;
        }
        None
    });
    wanted.unwrap_or_else(|| {
        if Language::of(instructions) == Language::Vietnamese {
            "Vietnamese".into()
        } else {
            "English".into()
        }
    })
}

fn dictionary() -> BTreeMap<&'static str, &'static str> {
    PAIRS
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .collect()
}

/// Rendering of a term: its words in reverse order, as Vietnamese puts what describes after what is described.
pub(super) fn term(term: &str, target: &str) -> String {
    let vietnamese = target.to_lowercase().starts_with("viet");
    let dictionary = dictionary();
    let words = super::text::words(term);
    let word = |word: &String| {
        dictionary
            .get(word.as_str())
            .copied()
            .filter(|word| !word.is_empty())
    };
    let known = words.iter().filter_map(word).count();
    if !vietnamese || known == 0 {
        return term.to_owned();
    }
    let rendered = words.iter().rev().map(|own| word(own).unwrap_or(own));
    rendered.collect::<Vec<_>>().join(" ")
}

/// Renders terms of the glossary by their equivalents, other words by the dictionary, and keeps everything else.
/// A term that the glossary gives no equivalent for is kept.
fn paragraph_of(
    paragraph: &str,
    dictionary: &BTreeMap<&str, &str>,
    glossary: &BTreeMap<String, String>,
) -> String {
    let given: Vec<&str> = paragraph.split_whitespace().collect();
    let mut rendered: Vec<String> = Vec::new();
    let mut at = 0;
    while at < given.len() {
        let longest = (1..=4.min(given.len() - at)).rev();
        let found = longest.filter_map(|count| {
            let name = given[at..at + count]
                .iter()
                .map(|word| bare(word).to_lowercase());
            let name = name.collect::<Vec<_>>().join(" ");
            let rendering = glossary
                .get(&name)
                .or_else(|| glossary.get(name.strip_suffix('s')?))?;
            Some((count, rendering))
        });
        if let Some((count, rendering)) = found.into_iter().next() {
            let (first, last) = (given[at], given[at + count - 1]);
            let opening = &first[..first.len()
                - first
                    .trim_start_matches(|letter: char| !letter.is_alphanumeric())
                    .len()];
            let closing = &last[last
                .trim_end_matches(|letter: char| !letter.is_alphanumeric())
                .len()..];
            rendered.push(format!("{opening}{rendering}{closing}"));
            at += count;
            continue;
        }
        let (word, own) = (given[at], bare(given[at]));
        match dictionary.get(own.to_lowercase().as_str()) {
            Some(&"") => {}
            Some(rendering) => rendered.push(word.replacen(own, rendering, 1)),
            None => rendered.push(word.to_owned()),
        }
        at += 1;
    }
    let line = rendered.join(" ");
    let mut letters = line.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// Word without the marks around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
}
