//! A column's value in a line, and back.

use sea_orm::prelude::Uuid;
use sea_orm::{ColumnType, Value};
use serde_json::Value as Json;

/// What a column holds, on every database alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string with hyphens.
    Uuid,
    /// A number, whole and of 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A string.
    Text,
    /// A string of hexadecimal digits.
    Bytes,
}

impl Kind {
    /// What an entity says of its column; `None` for what no entity has yet.
    pub(super) fn of(column: &ColumnType) -> Option<Self> {
        match column {
            ColumnType::Uuid => Some(Self::Uuid),
            ColumnType::BigInteger => Some(Self::Integer),
            ColumnType::Boolean => Some(Self::Boolean),
            ColumnType::String(_) | ColumnType::Text => Some(Self::Text),
            ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob => {
                Some(Self::Bytes)
            }
            _ => None,
        }
    }

    /// Reads a value; `None` where it is of another kind.
    pub(super) fn read(self, json: Json) -> Option<Value> {
        Some(match (self, json) {
            (Self::Uuid, Json::Null) => Value::Uuid(None),
            (Self::Integer, Json::Null) => Value::BigInt(None),
            (Self::Boolean, Json::Null) => Value::Bool(None),
            (Self::Text, Json::Null) => Value::String(None),
            (Self::Bytes, Json::Null) => Value::Bytes(None),
            (Self::Uuid, Json::String(text)) => Value::Uuid(Some(Uuid::parse_str(&text).ok()?)),
            (Self::Integer, Json::Number(number)) => Value::BigInt(Some(number.as_i64()?)),
            (Self::Boolean, Json::Bool(truth)) => Value::Bool(Some(truth)),
            (Self::Text, Json::String(text)) => Value::String(Some(text)),
            (Self::Bytes, Json::String(text)) => Value::Bytes(Some(from_hex(&text)?)),
            _ => return None,
        })
    }
}

/// Writes a value; `None` for a kind that no entity has yet.
pub(super) fn written(value: Value) -> Option<Json> {
    let json = match value {
        Value::Uuid(id) => id.map(|id| id.to_string().into()),
        Value::BigInt(number) => number.map(Json::from),
        Value::Bool(truth) => truth.map(Json::from),
        Value::String(text) => text.map(Json::from),
        Value::Bytes(bytes) => bytes.map(|bytes| hex(&bytes).into()),
        _ => return None,
    };
    Some(json.unwrap_or(Json::Null))
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KINDS: [Kind; 5] = [Kind::Uuid, Kind::Integer, Kind::Boolean, Kind::Text, Kind::Bytes];

    #[test]
    fn what_was_written_is_read_as_it_was() {
        let values = [
            (Kind::Uuid, Value::Uuid(Some(Uuid::from_u128(u128::MAX - 5)))),
            (Kind::Integer, Value::BigInt(Some(i64::MAX))),
            (Kind::Integer, Value::BigInt(Some(i64::MIN))),
            (Kind::Boolean, Value::Bool(Some(true))),
            (Kind::Text, Value::String(Some(" 마패 😀\u{0}\n\u{301} ".to_owned()))),
            (Kind::Bytes, Value::Bytes(Some((0..=u8::MAX).collect()))),
            (Kind::Bytes, Value::Bytes(Some(Vec::new()))),
        ];
        for (kind, value) in values {
            let text = written(value.clone()).expect("a form").to_string();
            let json = serde_json::from_str(&text).expect("JSON");
            assert_eq!(kind.read(json), Some(value));
        }
        for kind in KINDS {
            let nothing = kind.read(Json::Null).expect("nothing is of every kind");
            assert_eq!(written(nothing), Some(Json::Null));
        }
    }

    #[test]
    fn a_value_of_another_kind_is_none() {
        let table = [
            (Kind::Uuid, json!("not-an-id")),
            (Kind::Uuid, json!(7)),
            (Kind::Integer, json!("7")),
            (Kind::Integer, json!(7.5)),
            (Kind::Integer, json!(9_223_372_036_854_775_808_u64)),
            (Kind::Boolean, json!(1)),
            (Kind::Text, json!(["a"])),
            (Kind::Bytes, json!("abc")),
            (Kind::Bytes, json!("zz")),
            (Kind::Bytes, json!("é")),
        ];
        for (kind, json) in table {
            assert_eq!(kind.read(json.clone()), None, "{kind:?} {json}");
        }
    }
}
