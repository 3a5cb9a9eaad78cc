//! One look without a dashboard: a frame as text, a frame as a picture, or everything as JSON.

use crate::{
    app::{App, Connection, Kind, Message},
    cli::Options,
    now_ms, source, svg, terminal,
    theme::Theme,
    view,
};
use anyhow::Context;
use futures_util::future::join_all;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use serde_json::{Value, json};
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

/// Size where nobody names one and there is no terminal.
const DEFAULT_SIZE: (u16, u16) = (100, 30);

/// Asks every source once and prints what the options ask for; fails if nobody answered.
pub(crate) async fn print(mut app: App, options: &Options) -> anyhow::Result<ExitCode> {
    ask(&mut app).await;
    if let Some(path) = &options.svg {
        let theme = Theme {
            colour: true,
            unicode: true,
        };
        let picture = svg::picture(&frame(&app, theme, size(options))?);
        std::fs::write(path, picture).with_context(|| path.display().to_string())?;
    } else {
        let text = if options.json {
            format!("{:#}\n", merged(&app))
        } else {
            let unicode = Theme::from_env().unicode;
            let colour = false;
            lines(&frame(&app, Theme { colour, unicode }, size(options))?)
        };
        std::io::stdout().write_all(text.as_bytes())?;
    }
    let answered = app.sources.iter().any(|source| source.snapshot().is_some());
    Ok(if answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn ask(app: &mut App) {
    let answers = app.sources.iter().map(|source| source::once(&source.path));
    let answers = join_all(answers).await;
    for (source, answer) in answers.into_iter().enumerate() {
        let events = match answer {
            Ok((hello, reply)) => vec![
                source::Event::Connected(hello),
                source::Event::Line(Box::new(reply)),
            ],
            Err(reason) => vec![source::Event::Lost(reason)],
        };
        for event in events {
            let told = source::Told { source, event };
            app.update(Message::Told(told), now_ms());
        }
    }
}

/// Draws one frame of the given columns and rows.
pub(crate) fn frame(app: &App, theme: Theme, size: (u16, u16)) -> anyhow::Result<Buffer> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1))?;
    terminal.draw(|frame| view::draw(app, theme, frame))?;
    Ok(terminal.backend().buffer().clone())
}

/// A frame as lines of text, without blanks at their ends.
pub(crate) fn lines(buffer: &Buffer) -> String {
    let mut text = String::new();
    // A frame without a column has no cells either.
    let width = usize::from(buffer.area.width).max(1);
    for row in buffer.content().chunks(width) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn size(options: &Options) -> (u16, u16) {
    let known = std::io::stdout()
        .is_terminal()
        .then(terminal::size)
        .flatten();
    let (width, height) = known.unwrap_or(DEFAULT_SIZE);
    (
        options.width.unwrap_or(width),
        options.height.unwrap_or(height),
    )
}

fn merged(app: &App) -> Value {
    let sources: Vec<Value> = app
        .sources
        .iter()
        .map(|source| {
            let error = match &source.connection {
                Connection::Lost { reason } => Some(reason),
                Connection::Connecting | Connection::Live => None,
            };
            json!({
                "socket": source.path,
                "program": match source.kind { Kind::Hbd => "hbd", Kind::Ldird => "ldird" },
                "hello": source.hello,
                "error": error,
                "snapshot": source.snapshot(),
            })
        })
        .collect();
    json!({ "at_ms": app.now_ms, "sources": sources })
}
