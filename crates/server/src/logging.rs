//! The logs: to standard error, as JSON lines or for people.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{ConfigError, Log, LogFormat};

/// Starts writing logs. Later calls in one process change nothing.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(log: &Log) -> Result<(), ConfigError> {
    let filter = EnvFilter::builder()
        .parse(&log.filter)
        .map_err(|error| ConfigError::Invalid {
            key: "log.filter".into(),
            problem: format!(
                "{error}; write a level such as info, or directives such as info,usher_engine=debug"
            ),
        })?;
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log that nobody reads any more must not end what tries to write to it.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // A second start is one of a test's servers in the same process; the first one's settings stay.
    let _ = if json {
        let format = format().json().flatten_event(true).with_span_list(false);
        let lines = Lines { format, json };
        builder
            .fmt_fields(JsonFields::new())
            .event_format(lines)
            .try_init()
    } else {
        let format = format().with_ansi(std::io::stderr().is_terminal());
        builder.event_format(Lines { format, json }).try_init()
    };
    Ok(())
}

tokio::task_local! {
    /// The id of the request that the task is at.
    static REQUEST: Arc<str>;
}

/// Answers a request; what is logged meanwhile has its id. A span would say it too, but costs each request more than its token.
pub(crate) async fn with_request<F: Future>(id: Arc<str>, answer: F) -> F::Output {
    REQUEST.scope(id, answer).await
}

/// Lines with the id of the request that they are about.
struct Lines<F> {
    format: F,
    json: bool,
}

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let named = REQUEST.try_with(|id| with_id(&line, id, self.json));
        writer.write_str(named.as_deref().unwrap_or(&line))
    }
}

/// Puts the id of a request at the end of a line. It has no characters that mean anything in JSON.
fn with_id(line: &str, id: &str, json: bool) -> String {
    let line = line.trim_end();
    match line.strip_suffix('}').filter(|_| json) {
        Some(fields) => format!("{fields},\"request.id\":\"{id}\"}}\n"),
        None => format!("{line} request.id={id}\n"),
    }
}

/// An error with everything underneath it, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        // Transparent errors repeat the text of what they wrap.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Written {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    impl Written {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().expect("no panic").clone();
            let text = String::from_utf8(bytes).expect("UTF-8");
            text.lines().map(str::to_owned).collect()
        }
    }

    /// Two lines: one before a request, one in it.
    fn log() {
        tracing::info!(count = 1, "before");
        REQUEST.sync_scope("r-1".into(), || tracing::info!(text = "}", "in it"));
    }

    #[test]
    fn json_lines_name_their_request() {
        let written = Written::default();
        let builder = tracing_subscriber::fmt().with_writer(written.clone());
        let format = format().json().flatten_event(true).with_span_list(false);
        let builder = builder.fmt_fields(JsonFields::new());
        with_default(builder.event_format(Lines { format, json: true }).finish(), log);
        let lines: Vec<serde_json::Value> = written
            .lines()
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let [before, in_it] = lines.as_slice() else {
            panic!("two lines: {lines:?}")
        };
        assert_eq!(
            (&before["message"], &before["count"]),
            (&"before".into(), &1.into())
        );
        assert!(before.get("request.id").is_none(), "{before}");
        assert_eq!(
            (&in_it["message"], &in_it["text"]),
            (&"in it".into(), &"}".into())
        );
        assert_eq!(in_it["request.id"], "r-1");
    }

    #[test]
    fn lines_for_people_name_their_request() {
        let written = Written::default();
        let builder = tracing_subscriber::fmt().with_writer(written.clone());
        let format = format().with_ansi(false);
        with_default(builder.event_format(Lines { format, json: false }).finish(), log);
        let lines = written.lines();
        assert!(lines[0].ends_with("before count=1"), "{lines:?}");
        assert!(lines[1].ends_with("in it text=\"}\" request.id=r-1"), "{lines:?}");
    }
}
