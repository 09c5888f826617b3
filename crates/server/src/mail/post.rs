//! The way to the mail server.

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message as Letter, Tokio1Executor};
use secrecy::ExposeSecret as _;
use usher_core::Timestamp;
use usher_mail::Message;

use super::send::Tried;
use crate::config::{Protection, Smtp};
use crate::logging::chain;

/// Answers that mean this one recipient or message, for ever (RFC 5321 §4.2.3): asking again does not help.
const FOR_EVER: std::ops::RangeInclusive<u16> = 550..=556;

/// The way to the mail server. A connection is made for each e-mail.
pub(super) struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    host: String,
}

impl Post {
    /// Takes the configuration; connects to nothing.
    ///
    /// # Errors
    /// What cannot be used, for people.
    pub(super) fn new(smtp: &Smtp, from: &str, timeout: Duration, public_url: &str) -> Result<Self, String> {
        let from: Mailbox = from
            .parse()
            .map_err(|error: AddressError| format!("notifications.from: {error}"))?;
        let protection = match smtp.tls {
            Protection::None => Tls::None,
            Protection::Starttls => Tls::Required(tls(smtp)?),
            Protection::Tls => Tls::Wrapper(tls(smtp)?),
        };
        let hello = public_url
            .parse::<http::Uri>()
            .ok()
            .and_then(|url| url.host().map(str::to_owned))
            .filter(|host| host.parse::<std::net::Ipv4Addr>().is_err() && !host.starts_with('['))
            .unwrap_or_else(|| "localhost".to_owned());
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port())
            .tls(protection)
            .hello_name(ClientId::Domain(hello))
            .timeout(Some(timeout));
        if let (Some(user), Some(password)) = (&smtp.user, &smtp.password) {
            builder = builder.credentials(Credentials::new(
                user.clone(),
                password.secret().expose_secret().to_owned(),
            ));
        }
        Ok(Self {
            transport: builder.build(),
            host: from.email.domain().to_owned(),
            from,
            timeout,
        })
    }

    /// Sends an e-mail once. `name` is part of its Message-ID: the same name is the same e-mail to mail servers and programs.
    pub(super) async fn send(&self, name: &str, to: &str, message: &Message, written: Timestamp) -> Tried {
        let letter = match self.letter(name, to, message, written) {
            Ok(letter) => letter,
            Err(error) => {
                return Tried::Refused {
                    error,
                    for_ever: true,
                };
            }
        };
        // The limit of the transport is for each step of the conversation.
        let sent = tokio::time::timeout(self.timeout, self.transport.send(letter)).await;
        match sent {
            Ok(Ok(_)) => Tried::Sent,
            Ok(Err(error)) => {
                let text = chain(&error);
                match error.status().map(u16::from) {
                    Some(code) => Tried::Refused {
                        error: text,
                        for_ever: FOR_EVER.contains(&code),
                    },
                    None => Tried::Unreachable(text),
                }
            }
            Err(_) => Tried::Unreachable("the mail server did not answer in time".to_owned()),
        }
    }

    fn letter(&self, name: &str, to: &str, message: &Message, written: Timestamp) -> Result<Letter, String> {
        let to: Address = to
            .parse()
            .map_err(|error: AddressError| format!("'{to}' cannot be written to: {error}"))?;
        let micros = u64::try_from(written.as_micros()).unwrap_or_default();
        let automatic = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let parts = MultiPart::alternative()
            .singlepart(SinglePart::plain(message.text.clone()))
            .singlepart(SinglePart::html(message.html.clone()));
        Letter::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
            .message_id(Some(format!("<{name}@{}>", self.host)))
            .raw_header(automatic)
            .multipart(parts)
            .map_err(|error| chain(&error))
    }
}

fn tls(smtp: &Smtp) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(pem) = &smtp.extra_ca {
        let certificate = Certificate::from_pem(pem.as_bytes())
            .map_err(|error| format!("notifications.smtp.extra_ca: {}", chain(&error)))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder
        .build_rustls()
        .map_err(|error| format!("notifications.smtp: {}", chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post {
        let smtp: Smtp = toml::from_str("host = \"localhost\"\ntls = \"none\"").unwrap();
        let limit = Duration::from_secs(5);
        Post::new(
            &smtp,
            "Usher <usher@contoso.com>",
            limit,
            "https://usher.contoso.com",
        )
        .unwrap()
    }

    fn message(subject: &str) -> Message {
        Message {
            subject: subject.into(),
            text: "Grüße".into(),
            html: "<p>Grüße</p>".into(),
        }
    }

    #[test]
    fn an_email_has_a_name_a_date_and_says_that_no_person_wrote_it() {
        let at = "2026-03-05T07:04:00Z".parse().unwrap();
        let letter = post()
            .letter("0198", "anna@contoso.com", &message("Raum „Vorstand“"), at)
            .unwrap();
        let text = String::from_utf8(letter.formatted()).unwrap();
        for line in [
            "From: Usher <usher@contoso.com>",
            "To: anna@contoso.com",
            "Message-ID: <0198@contoso.com>",
            "Date: Thu, 05 Mar 2026 07:04:00 +0000",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let subject = text.lines().find(|line| line.starts_with("Subject: "));
        assert!(
            subject.is_some_and(|line| line.is_ascii() && line.contains("=?utf-8?")),
            "{text}"
        );
    }

    #[test]
    fn nothing_in_an_address_or_a_subject_ends_a_header() {
        let at = Timestamp::from_micros(0);
        assert!(
            post()
                .letter("1", "anna@contoso.com\r\nBcc: x@evil.example", &message("s"), at)
                .is_err()
        );
        let letter = post()
            .letter("1", "anna@contoso.com", &message("a\r\nBcc: x@evil.example"), at)
            .unwrap();
        let text = String::from_utf8(letter.formatted()).unwrap();
        assert!(text.lines().all(|line| !line.starts_with("Bcc")), "{text}");
    }
}
