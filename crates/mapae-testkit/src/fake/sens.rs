//! Naver Cloud SENS, as strict as its documents: signature, clock, lengths, forms of numbers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::EUC_KR;
use mapae_domain::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use super::http::{HttpReply, HttpRequest, HttpStub};
use super::lock;

/// A short message that SENS took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensMessage {
    /// The request that brought it.
    pub request_id: String,
    /// `SMS` or `LMS`; `ALIMTALK` for one to a Kakao account.
    pub kind: String,
    /// The country code.
    pub country: String,
    /// The number, digits only.
    pub to: String,
    /// The sender's number, or the channel of an AlimTalk.
    pub from: String,
    /// The text.
    pub content: String,
    /// What is sent by SMS where an AlimTalk does not arrive.
    pub failover: Option<Value>,
}

/// How the fake behaves, beyond being strict.
#[derive(Clone)]
pub struct SensBehaviour {
    /// Answers instead of taking a message: status and body.
    pub refuse: Option<(u16, &'static str, String)>,
    /// Takes a message and says nothing.
    pub cut: bool,
    /// How long an answer takes.
    pub delay: Duration,
    /// The result code of messages that are asked about; nothing where it is not known yet.
    pub result: Option<&'static str>,
    /// How often the list of a request's messages is empty before it is not.
    pub empty_lists: u32,
    /// How an AlimTalk is taken: `A000`, or another code.
    pub alimtalk: &'static str,
}

impl Default for SensBehaviour {
    fn default() -> Self {
        Self {
            refuse: None,
            cut: false,
            delay: Duration::ZERO,
            result: Some("0"),
            empty_lists: 0,
            alimtalk: "A000",
        }
    }
}

#[derive(Default)]
struct State {
    taken: Vec<SensMessage>,
    behaviour: SensBehaviour,
    asked: HashMap<String, u32>,
    /// The gateway's clock; where it is not set, signatures of any time are taken.
    now: Option<Timestamp>,
}

/// A SENS of a test's own, over HTTP.
pub struct FakeSens {
    http: HttpStub,
    state: Arc<Mutex<State>>,
}

impl FakeSens {
    /// The service of short messages.
    pub const SERVICE: &'static str = "ncp:sms:kr:123456789012:mapae";
    /// The service of AlimTalk.
    pub const ALIMTALK_SERVICE: &'static str = "ncp:kkobizmsg:kr:1234567:mapae";
    /// The access key.
    pub const ACCESS_KEY: &'static str = "ABCDEFGHIJ1234567890";
    /// The secret key.
    pub const SECRET_KEY: &'static str = "abcdefghijk12345678901234567890abcdefghij";
    /// The registered sender number.
    pub const FROM: &'static str = "0212345678";
    /// The Kakao channel.
    pub const CHANNEL: &'static str = "@mapae";
    /// The code of the one AlimTalk template.
    pub const TEMPLATE: &'static str = "code1";

    /// A SENS that takes everything that is right.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let kept = Arc::clone(&state);
        let http = HttpStub::start(move |request| answer(&kept, request)).await;
        Self { http, state }
    }

    /// Where it listens: `http://127.0.0.1:…`.
    pub fn origin(&self) -> String {
        self.http.origin()
    }

    /// Sets the gateway's clock: signatures more than five minutes off are refused from now on.
    pub fn set_clock(&self, now: Timestamp) {
        lock(&self.state).now = Some(now);
    }

    /// Changes how it behaves.
    pub fn behave(&self, change: impl FnOnce(&mut SensBehaviour)) {
        change(&mut lock(&self.state).behaviour);
    }

    /// The messages that it took, in that order.
    pub fn taken(&self) -> Vec<SensMessage> {
        lock(&self.state).taken.clone()
    }

    /// The messages to a number in digits.
    pub fn taken_to(&self, digits: &str) -> Vec<SensMessage> {
        let state = lock(&self.state);
        state.taken.iter().filter(|message| message.to == digits).cloned().collect()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.http.requests()
    }
}

fn gateway_error(status: u16, code: &str, message: &str) -> HttpReply {
    let error = json!({"error": {"errorCode": code, "message": message, "details": message}});
    HttpReply::json(status, error.to_string())
}

fn service_error(status: u16, message: &str) -> HttpReply {
    let error = json!({"status": status, "errorMessage": message, "errors": [message]});
    HttpReply::json(status, error.to_string())
}

fn answer(state: &Mutex<State>, request: &HttpRequest) -> HttpReply {
    let mut state = lock(state);
    if let Err(refused) = check_signature(request, state.now) {
        return refused;
    }
    let delay = state.behaviour.delay;
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let sms = format!("/sms/v2/services/{}/messages", FakeSens::SERVICE);
    let alimtalk = format!("/alimtalk/v2/services/{}/messages", FakeSens::ALIMTALK_SERVICE);
    let reply = match request.method.as_str() {
        "POST" if path == sms => take(&mut state, request, take_sms),
        "POST" if path == alimtalk => take(&mut state, request, take_alimtalk),
        "GET" if path == sms => list(&mut state, query),
        "GET" => match (
            path.strip_prefix(&format!("{sms}/")),
            path.strip_prefix(&format!("{alimtalk}/")),
        ) {
            (Some(id), _) => detail(&state, id, false),
            (_, Some(id)) => detail(&state, id, true),
            _ => gateway_error(404, "300", "Not Found Exception"),
        },
        _ => gateway_error(404, "300", "Not Found Exception"),
    };
    if delay.is_zero() { reply } else { reply.after(delay) }
}

/// The gateway's own checks: keys, time, and a signature over the method and the very target.
fn check_signature(request: &HttpRequest, now: Option<Timestamp>) -> Result<(), HttpReply> {
    let unauthorized = |details: &str| Err(gateway_error(401, "200", details));
    if request.header("x-ncp-iam-access-key") != FakeSens::ACCESS_KEY {
        return unauthorized("Invalid access key");
    }
    let timestamp = request.header("x-ncp-apigw-timestamp");
    let Ok(millis) = timestamp.parse::<i64>() else { return unauthorized("Invalid timestamp") };
    let off = now.map_or(0, |now| (now.as_micros() / 1_000 - millis).abs());
    if off > 5 * 60 * 1_000 {
        return unauthorized("Expired timestamp");
    }
    let (method, target) = (&request.method, &request.target);
    let signed = format!("{method} {target}\n{timestamp}\n{}", FakeSens::ACCESS_KEY);
    let key = hmac::Key::new(hmac::HMAC_SHA256, FakeSens::SECRET_KEY.as_bytes());
    let signature = STANDARD.decode(request.header("x-ncp-apigw-signature-v2"));
    let right = signature.is_ok_and(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok());
    if right { Ok(()) } else { unauthorized("Invalid signature") }
}

fn take(
    state: &mut State,
    request: &HttpRequest,
    read: fn(&Value, &str) -> Result<SensMessage, String>,
) -> HttpReply {
    if let Some((status, content_type, body)) = state.behaviour.refuse.clone() {
        return HttpReply::Answer { status, content_type, body };
    }
    if request.header("content-type") != "application/json; charset=utf-8" {
        return service_error(400, "content type");
    }
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let request_id = format!("RSSA-1700000000000-{number:08}");
    let message = match read(&request.json(), &request_id) {
        Ok(message) => message,
        Err(why) => return service_error(400, &why),
    };
    let is_alimtalk = message.kind == "ALIMTALK";
    let code = state.behaviour.alimtalk;
    let to = message.to.clone();
    if !is_alimtalk || code == "A000" {
        state.taken.push(message);
    }
    if state.behaviour.cut {
        return HttpReply::Cut;
    }
    let mut answer = json!({
        "requestId": request_id,
        "requestTime": if number.is_multiple_of(2) { "2025-11-25T09:39:40.535" } else { "2025-11-25 09:39:40" },
        "statusCode": "202",
        "statusName": "success",
    });
    if is_alimtalk {
        let message_id = format!("{request_id}-0");
        answer["messages"] = json!([{
            "messageId": message_id, "to": to, "requestStatusCode": code,
            "requestStatusName": if code == "A000" { "success" } else { "fail" },
            "requestStatusDesc": "as told",
        }]);
    }
    HttpReply::json(202, answer.to_string())
}

fn text(of: &Value, member: &str) -> String {
    of[member].as_str().unwrap_or_default().to_owned()
}

fn digits(number: &str) -> Result<(), String> {
    let right = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if right { Ok(()) } else { Err("a number holds more than digits".to_owned()) }
}

fn bytes_of(content: &str) -> Result<usize, String> {
    let (encoded, _, unmappable) = EUC_KR.encode(content);
    if unmappable { Err("a sign that EUC-KR lacks".to_owned()) } else { Ok(encoded.len()) }
}

fn only_recipient(body: &Value) -> Result<&Value, String> {
    match body["messages"].as_array().map(Vec::as_slice) {
        Some([message]) => Ok(message),
        _ => Err("messages must hold one message here".to_owned()),
    }
}

fn take_sms(body: &Value, request_id: &str) -> Result<SensMessage, String> {
    let message = only_recipient(body)?;
    let kind = text(body, "type");
    let country = body["countryCode"].as_str().unwrap_or("82").to_owned();
    let own = message["content"].as_str().or(body["content"].as_str());
    let content = own.ok_or("content is missing")?.to_owned();
    let bytes = bytes_of(&content)?;
    match kind.as_str() {
        "SMS" if bytes <= 90 => {}
        "LMS" if bytes <= 2_000 && country == "82" => {}
        "SMS" | "LMS" => return Err(format!("{kind} of {bytes} bytes to {country}")),
        _ => return Err("type".to_owned()),
    }
    if let Some(subject) = body["subject"].as_str().or(message["subject"].as_str())
        && bytes_of(subject)? > 40
    {
        return Err("subject".to_owned());
    }
    let (from, to) = (text(body, "from"), text(message, "to"));
    digits(&to)?;
    if from != FakeSens::FROM {
        return Err("from is not registered".to_owned());
    }
    if country == "82" && !to.starts_with('0') {
        return Err("to".to_owned());
    }
    if body["contentType"].as_str().is_some_and(|of| of != "COMM") {
        return Err("contentType".to_owned());
    }
    let request_id = request_id.to_owned();
    Ok(SensMessage { request_id, kind, country, to, from, content, failover: None })
}

fn take_alimtalk(body: &Value, request_id: &str) -> Result<SensMessage, String> {
    let message = only_recipient(body)?;
    let (from, to) = (text(body, "plusFriendId"), text(message, "to"));
    if from != FakeSens::CHANNEL || body["templateCode"] != FakeSens::TEMPLATE {
        return Err("channel or template".to_owned());
    }
    digits(&to)?;
    let failover = match message["useSmsFailover"].as_bool() {
        Some(true) => {
            let config = &message["failoverConfig"];
            let bytes = bytes_of(&text(config, "content"))?;
            let fits = match config["type"].as_str() {
                Some("SMS") => bytes <= 90,
                Some("LMS") => bytes <= 2_000,
                _ => false,
            };
            if !fits || config["from"] != FakeSens::FROM {
                return Err("failoverConfig".to_owned());
            }
            Some(config.clone())
        }
        _ => None,
    };
    Ok(SensMessage {
        request_id: request_id.to_owned(),
        kind: "ALIMTALK".to_owned(),
        country: message["countryCode"].as_str().unwrap_or("82").to_owned(),
        to,
        from,
        content: text(message, "content"),
        failover,
    })
}

/// The messages of a request, without what became of them.
fn list(state: &mut State, query: &str) -> HttpReply {
    let Some(request_id) = query.strip_prefix("requestId=") else {
        return service_error(400, "requestId");
    };
    let Some(message) = state.taken.iter().find(|message| message.request_id == request_id) else {
        return not_there();
    };
    let asked = state.asked.entry(request_id.to_owned()).or_default();
    *asked += 1;
    let mut messages = Vec::new();
    if *asked > state.behaviour.empty_lists {
        messages.push(json!({
            "requestId": request_id, "messageId": format!("{request_id}-0"),
            "contentType": "COMM", "type": message.kind, "countryCode": message.country,
            "from": message.from, "to": message.to,
        }));
    }
    let body = json!({
        "statusCode": "202", "statusName": "success", "messages": messages,
        "hasMore": false, "nextToken": null,
    });
    HttpReply::json(200, body.to_string())
}

/// What became of a message.
fn detail(state: &State, message_id: &str, is_alimtalk: bool) -> HttpReply {
    let request_id = message_id.strip_suffix("-0").unwrap_or_default();
    let Some(message) = state.taken.iter().find(|message| message.request_id == request_id) else {
        return not_there();
    };
    let mut item = json!({
        "requestId": request_id, "messageId": message_id, "to": message.to,
        "type": message.kind, "content": message.content, "telcoCode": "SKT",
    });
    let result = state.behaviour.result;
    let name = match result {
        None => "processing",
        Some("0" | "0000") => "success",
        Some(_) => "fail",
    };
    if is_alimtalk {
        item["messageStatusName"] = json!(name);
        item["useSmsFailover"] = json!(message.failover.is_some());
        if let Some(code) = result {
            item["messageStatusCode"] = json!(code);
            item["messageStatusDesc"] = json!("planted-provider-text");
        }
        return HttpReply::json(200, item.to_string());
    }
    item["status"] = json!(if result.is_some() { "COMPLETED" } else { "PROCESSING" });
    if let Some(code) = result {
        item["statusCode"] = json!(code);
        item["statusName"] = json!(name);
        item["statusMessage"] = json!("planted-provider-text");
    }
    let body = json!({"statusCode": "200", "statusName": "success", "messages": [item]});
    HttpReply::json(200, body.to_string())
}

fn not_there() -> HttpReply {
    HttpReply::Answer { status: 404, content_type: "text/plain", body: String::new() }
}
