//! Amounts of money: whole minor units and a currency, read from text, never through a float.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Number;

/// An ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads a three-letter code in any case; `None` for a code that is not current money
    /// (metals, funds and test codes have no decimals to count in).
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let found = iso_currency::Currency::from_code(&code.trim().to_ascii_uppercase())?;
        found.exponent().map(|_| Self(found))
    }

    /// The three capital letters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals the currency has: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn decimals(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// True when a bare `$` means it: dollars and pesos.
    fn has_dollar_sign(self) -> bool {
        self.0.symbol().symbol.contains('$')
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = String::deserialize(from)?;
        Self::parse(&code).ok_or_else(|| de::Error::custom("not a currency"))
    }
}

/// An amount: never negative, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The amount in the currency's smallest unit: 7500 for 75.00 EUR.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// The amount as a decimal JSON number with the currency's decimals: `75.00`.
    #[must_use]
    pub fn to_number(self) -> Number {
        let places = usize::try_from(self.currency.decimals()).unwrap_or(0);
        let digits = format!("{:0>width$}", self.minor, width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let text = if places == 0 { digits.clone() } else { format!("{whole}.{fraction}") };
        text.parse().unwrap_or_else(|_| Number::from(self.minor))
    }

    /// Reads an amount as people and programs write it: `75`, `75.00`, `€42,50`, `EUR 75`.
    ///
    /// The currency is the one that the text names by code or symbol, else `told` (a currency
    /// field beside it), else `usual` (the tenant's). A bare `$` is `usual` where that has this
    /// sign, else US dollars. A thousand separator is read only where it can be nothing else.
    ///
    /// # Errors
    /// The [`NotMoney`] that says why; nothing is rounded.
    pub fn parse(text: &str, told: Option<Currency>, usual: Currency) -> Result<Self, NotMoney> {
        let parts = Parts::of(text, told.unwrap_or(usual)).ok_or(NotMoney::Unreadable)?;
        let currency = match (parts.named, told) {
            (Some(named), Some(told)) if named != told => return Err(NotMoney::TwoCurrencies),
            (named, told) => named.or(told).unwrap_or(usual),
        };
        let (whole, fraction) = split(parts.digits, currency.decimals())?;
        Self::exact(parts.negative, &whole, fraction, currency)
    }

    /// Reads the text of a JSON number, in which a point is never a thousand separator.
    ///
    /// # Errors
    /// The [`NotMoney`] that says why; nothing is rounded.
    pub fn parse_number(text: &str, currency: Currency) -> Result<Self, NotMoney> {
        let positive = text.strip_prefix('-');
        let (whole, fraction) = positive.unwrap_or(text).split_once('.').unwrap_or((text, "0"));
        let whole = whole.trim_start_matches('-');
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(NotMoney::Unreadable);
        }
        Self::exact(positive.is_some(), whole, fraction, currency)
    }

    /// The amount of these digits, unless it is below zero or does not fit its currency.
    fn exact(
        negative: bool,
        whole: &str,
        fraction: &str,
        currency: Currency,
    ) -> Result<Self, NotMoney> {
        let places = usize::try_from(currency.decimals()).unwrap_or(0);
        let kept = fraction.trim_end_matches('0');
        if kept.len() > places {
            return Err(NotMoney::TooPrecise);
        }
        let digits = format!("{whole}{kept:0<places$}");
        let minor: i64 = digits.parse().map_err(|_| NotMoney::TooLarge)?;
        if negative && minor > 0 {
            return Err(NotMoney::Negative);
        }
        Ok(Self { minor, currency })
    }
}

/// An amount's text, taken apart.
struct Parts<'a> {
    negative: bool,
    /// From the first digit to the last.
    digits: &'a str,
    /// What the text before or behind the digits names.
    named: Option<Currency>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, usual: Currency) -> Option<Self> {
        let text = text.trim();
        let first = text.find(|c: char| c.is_ascii_digit())?;
        let last = text.rfind(|c: char| c.is_ascii_digit())?;
        let (before, rest) = text.split_at(first);
        let (digits, after) = rest.split_at(last + 1 - first);
        let unsigned = before.replacen(['-', '\u{2212}'], "", 1);
        let named = match (unsigned.trim(), after.trim()) {
            ("", "") => None,
            (symbol, "") | ("", symbol) => Some(currency_of(symbol, usual)?),
            _ => return None,
        };
        let negative = unsigned.len() < before.len();
        Some(Self { negative, digits, named })
    }
}

/// The currency that a code or a symbol names beside an amount.
fn currency_of(symbol: &str, usual: Currency) -> Option<Currency> {
    let code = match symbol {
        "$" if usual.has_dollar_sign() => return Some(usual),
        "$" | "US$" => "USD",
        "€" | "euro" | "euros" | "Euro" => "EUR",
        "£" => "GBP",
        "¥" | "￥" if usual.as_str() == "CNY" => "CNY",
        "¥" | "￥" => "JPY",
        "A$" | "AU$" => "AUD",
        "C$" | "CA$" => "CAD",
        "NZ$" => "NZD",
        "HK$" => "HKD",
        "S$" => "SGD",
        "R$" => "BRL",
        "₹" => "INR",
        "₩" => "KRW",
        "₺" => "TRY",
        "₴" => "UAH",
        "zł" => "PLN",
        code => code,
    };
    Currency::parse(code)
}

/// The whole part without its thousand separators, and the decimals.
fn split(digits: &str, places: u32) -> Result<(String, &str), NotMoney> {
    let marks: Vec<char> = digits.chars().filter(|c| matches!(c, '.' | ',')).collect();
    let decimal = match marks.as_slice() {
        [mark] => one_mark(digits, *mark, places)?.then_some(*mark),
        [first, .., last] if first != last => Some(*last),
        _ => None,
    };
    let (whole, fraction) = match decimal {
        Some(mark) => digits.rsplit_once(mark).unwrap_or((digits, "")),
        None => (digits, "0"),
    };
    let whole = ungrouped(whole).ok_or(NotMoney::Unreadable)?;
    if is_digits(fraction) { Ok((whole, fraction)) } else { Err(NotMoney::Unreadable) }
}

/// True when the only mark of an amount is its decimal mark, false when it parts thousands.
///
/// `1.234` could be either: it is read only where the currency leaves one reading.
fn one_mark(digits: &str, mark: char, places: u32) -> Result<bool, NotMoney> {
    let (whole, after) = digits.split_once(mark).unwrap_or((digits, ""));
    let could_group = after.len() == 3 && whole.len() <= 3 && !whole.starts_with('0');
    match (could_group, places) {
        (false, _) => Ok(true),
        (true, 0) => Ok(false),
        (true, 3) if mark == '.' => Ok(true),
        (true, 3) => Err(NotMoney::Unreadable),
        (true, _) => Err(NotMoney::TooPrecise),
    }
}

/// Digits without thousand separators, which must all be alike and stand before three digits.
fn ungrouped(text: &str) -> Option<String> {
    let Some(mark) = text.chars().find(|c| !c.is_ascii_digit()) else {
        return is_digits(text).then(|| text.to_owned());
    };
    let known = matches!(mark, '.' | ',' | ' ' | '\u{a0}' | '\u{202f}' | '\'' | '\u{2019}');
    let mut groups = text.split(mark);
    let head = groups.next().filter(|g| (1..=3).contains(&g.len()) && is_digits(g))?;
    let tail: Vec<&str> = groups.collect();
    let whole = tail.iter().all(|g| g.len() == 3 && is_digits(g));
    (known && whole).then(|| format!("{head}{}", tail.concat()))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMoney {
    /// Prose, or a form with two readings.
    #[error("it can't be read as an amount with certainty; send it as 75.00")]
    Unreadable,
    /// Less than zero.
    #[error("it is negative; send zero or more")]
    Negative,
    /// More decimals than the currency has.
    #[error("it has more decimals than its currency; it is never rounded, send it as 75.00")]
    TooPrecise,
    /// More than can be kept.
    #[error("it is too large to be an amount")]
    TooLarge,
    /// A symbol and a currency field that disagree.
    #[error("its symbol names another currency than the one sent beside it")]
    TwoCurrencies,
}

impl NotMoney {
    /// The stable word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable | Self::TooLarge => "amount_unreadable",
            Self::Negative => "amount_negative",
            Self::TooPrecise => "amount_too_precise",
            Self::TwoCurrencies => "currency_conflict",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn read(text: &str, usual: &str) -> Result<String, NotMoney> {
        let money = Money::parse(text, None, currency(usual))?;
        Ok(format!("{} {}", money.to_number(), money.currency.as_str()))
    }

    #[test]
    fn an_amount_is_read_exactly() {
        for (text, expected) in [
            ("75", "75.00 EUR"),
            ("75.00", "75.00 EUR"),
            ("75.1", "75.10 EUR"),
            ("0", "0.00 EUR"),
            ("0.00", "0.00 EUR"),
            ("€42.50", "42.50 EUR"),
            ("42,50", "42.50 EUR"),
            ("€42,50", "42.50 EUR"),
            ("42,50 €", "42.50 EUR"),
            ("EUR 75", "75.00 EUR"),
            ("75 eur", "75.00 EUR"),
            ("75 euro", "75.00 EUR"),
            (" £38.5 ", "38.50 GBP"),
            ("$340.00", "340.00 USD"),
            ("NZ$20", "20.00 NZD"),
            ("1,234.50", "1234.50 EUR"),
            ("1.234,50", "1234.50 EUR"),
            ("1 234,50", "1234.50 EUR"),
            ("1,234,567", "1234567.00 EUR"),
            ("¥1500", "1500 JPY"),
            ("-0", "0.00 EUR"),
            ("0.500", "0.50 EUR"),
        ] {
            assert_eq!(read(text, "EUR").as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_currency_has_its_own_number_of_decimals() {
        assert_eq!(read("75.00", "JPY").as_deref(), Ok("75 JPY"));
        assert_eq!(read("1,500", "JPY").as_deref(), Ok("1500 JPY"));
        assert_eq!(read("75.5", "JPY"), Err(NotMoney::TooPrecise));
        assert_eq!(read("1.234", "KWD").as_deref(), Ok("1.234 KWD"));
        assert_eq!(read("1,234", "KWD"), Err(NotMoney::Unreadable));
        assert_eq!(read("75.005", "EUR"), Err(NotMoney::TooPrecise));
        assert_eq!(read("1.234", "EUR"), Err(NotMoney::TooPrecise));
        assert_eq!(read("42.5001", "EUR"), Err(NotMoney::TooPrecise));
    }

    #[test]
    fn a_bare_dollar_sign_is_the_tenants_own_dollar() {
        assert_eq!(read("$340.00", "AUD").as_deref(), Ok("340.00 AUD"));
        assert_eq!(read("$340.00", "MXN").as_deref(), Ok("340.00 MXN"));
        assert_eq!(read("US$340.00", "AUD").as_deref(), Ok("340.00 USD"));
        let told = Some(currency("CAD"));
        let money = Money::parse("$5", told, currency("EUR")).unwrap();
        assert_eq!(money.currency.as_str(), "CAD");
        assert_eq!(Money::parse("€5", told, currency("EUR")), Err(NotMoney::TwoCurrencies));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "", "free", "about 75", "75-80", "75 or 80", "€", "7 5", "1.2.3", "1,23,456.00",
            "12,34.56,78", "75.", ".50", "+5", "€75 EUR", "75 BANANA", "75 XAU", "1e3", "NaN",
            "٧٥", "99999999999999999999",
        ] {
            let error = read(text, "EUR").unwrap_err();
            assert_eq!(error.code(), "amount_unreadable", "{text}");
        }
        for text in ["-5", "€-5", "-€5", "\u{2212}5.00", "- 5"] {
            assert_eq!(read(text, "EUR"), Err(NotMoney::Negative), "{text}");
        }
    }

    #[test]
    fn a_json_number_has_a_point_and_nothing_else() {
        let read = |text| Money::parse_number(text, currency("EUR")).map(|m| m.minor);
        assert_eq!(read("75"), Ok(7500));
        assert_eq!(read("75.1"), Ok(7510));
        assert_eq!(read("75.000"), Ok(7500));
        assert_eq!(read("92233720368547758.07"), Ok(i64::MAX));
        assert_eq!(read("92233720368547758.08"), Err(NotMoney::TooLarge));
        assert_eq!(read("75.123"), Err(NotMoney::TooPrecise));
        assert_eq!(read("-5"), Err(NotMoney::Negative));
        assert_eq!(read("-5.50"), Err(NotMoney::Negative));
        assert_eq!(read("1e+21"), Err(NotMoney::Unreadable));
        let yen = Money::parse_number("1.234", currency("JPY"));
        assert_eq!(yen, Err(NotMoney::TooPrecise));
    }

    #[test]
    fn an_amount_is_written_with_its_currencys_decimals() {
        let write = |minor, code| Money { minor, currency: currency(code) }.to_number().to_string();
        assert_eq!(write(7500, "EUR"), "75.00");
        assert_eq!(write(5, "EUR"), "0.05");
        assert_eq!(write(75, "JPY"), "75");
        assert_eq!(write(5, "KWD"), "0.005");
    }
}
