//! Values of the domain as columns, and back.

use mapae_application::ports::StoreError;
use mapae_domain::consent::{ConsentChannel, DecidedBy};
use mapae_domain::session::SessionClient;
use mapae_domain::{Channel, Contact, Locale, SecretHash, Timestamp};

pub(crate) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

pub(crate) fn instant(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

pub(crate) fn hash(bytes: &[u8]) -> Result<SecretHash, StoreError> {
    Ok(SecretHash::from_bytes(array(bytes)?))
}

pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Corrupt("a hash is of another length"))
}

pub(crate) fn bytes(hash: &SecretHash) -> Vec<u8> {
    hash.as_bytes().to_vec()
}

/// A counter, which the database keeps as a 64-bit integer.
pub(crate) fn counter<T: TryFrom<i64>>(stored: i64) -> Result<T, StoreError> {
    T::try_from(stored).map_err(|_| StoreError::Corrupt("a counter is out of range"))
}

/// A name that the domain knows.
pub(crate) fn known<T>(value: Option<T>) -> Result<T, StoreError> {
    value.ok_or(StoreError::Corrupt("a name is none that is known"))
}

pub(crate) fn channel(name: &str) -> Result<Channel, StoreError> {
    known(Channel::from_name(name))
}

pub(crate) fn contact(channel_name: &str, canonical: &str) -> Result<Contact, StoreError> {
    Ok(Contact::from_stored(channel(channel_name)?, canonical))
}

pub(crate) fn locale(name: &str) -> Result<Locale, StoreError> {
    known(Locale::parse(name).ok())
}

/// Names without commas, as one column.
pub(crate) fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(",")
}

pub(crate) fn split(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').filter(|name| !name.is_empty())
}

/// From where somebody asked.
pub(crate) fn session_client(
    device: Option<&str>,
    address: Option<&str>,
) -> Result<SessionClient, StoreError> {
    let address = address.map(|address| known(address.parse().ok())).transpose()?;
    Ok(SessionClient { device: device.map(str::to_owned), address })
}

/// How somebody decided about a document.
pub(crate) fn decided_by(
    channel: Option<&str>,
    address: Option<&str>,
) -> Result<DecidedBy, StoreError> {
    Ok(DecidedBy {
        channel: channel.map(|name| known(ConsentChannel::from_name(name))).transpose()?,
        address: address.map(|address| known(address.parse().ok())).transpose()?,
    })
}
