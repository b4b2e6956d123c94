//! Amounts of money: whole minor units and a currency, read from text, never through a float.

use serde_json::Number;

/// An ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads a three-letter code in any case; `None` for a code that is not current money.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(&code.trim().to_ascii_uppercase()).map(Self)
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
}

/// An amount: never negative, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}
