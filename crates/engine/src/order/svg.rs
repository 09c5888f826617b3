//! SVG made safe: read with a parser, checked against an allow-list, and written anew, so that what is kept
//! is what was checked and nothing that a browser might read differently.

use roxmltree::{Document, Node, ParsingOptions};

use super::logo::invalid;
use crate::EngineError;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Elements that draw or group, and fetch or run nothing.
const ELEMENTS: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "desc",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "marker",
    "mask",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "svg",
    "symbol",
    "text",
    "title",
    "tspan",
    "use",
];

const ATTRIBUTES: &[&str] = &[
    "clip-path",
    "clip-rule",
    "clipPathUnits",
    "color",
    "cx",
    "cy",
    "d",
    "dominant-baseline",
    "dx",
    "dy",
    "fill",
    "fill-opacity",
    "fill-rule",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "fx",
    "fy",
    "gradientTransform",
    "gradientUnits",
    "height",
    "href",
    "id",
    "letter-spacing",
    "marker-end",
    "marker-mid",
    "marker-start",
    "markerHeight",
    "markerUnits",
    "markerWidth",
    "mask",
    "maskContentUnits",
    "maskUnits",
    "offset",
    "opacity",
    "orient",
    "patternContentUnits",
    "patternTransform",
    "patternUnits",
    "points",
    "preserveAspectRatio",
    "r",
    "refX",
    "refY",
    "role",
    "rx",
    "ry",
    "spreadMethod",
    "stop-color",
    "stop-opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-opacity",
    "stroke-width",
    "text-anchor",
    "transform",
    "version",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

const MAX_NODES: u32 = 20_000;
const MAX_DEPTH: usize = 64;

/// Reads an SVG and writes it anew. Comments are left out; anything else that is not on the list is refused
/// by name, because a picture with holes would be no better than an error.
pub(super) fn rewrite(text: &str) -> Result<String, EngineError> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(error) => return invalid(&format!("cannot be read as SVG: {error}")),
    };
    let root = document.root_element();
    if root.tag_name().name() != "svg" {
        return invalid("does not begin with an svg element");
    }
    if document.root().children().any(|node| node.is_pi()) {
        return invalid("has a processing instruction: leave it out");
    }
    let mut out = String::with_capacity(text.len());
    write_element(root, 0, &mut out)?;
    Ok(out)
}

fn write_element(node: Node<'_, '_>, depth: usize, out: &mut String) -> Result<(), EngineError> {
    let name = node.tag_name().name();
    if node.tag_name().namespace() != Some(SVG) || !ELEMENTS.contains(&name) {
        return invalid(&format!(
            "has the element '{}', which is not allowed: save it as plain SVG",
            short(name)
        ));
    }
    if depth > MAX_DEPTH {
        return invalid("is nested too deeply: save it as plain SVG");
    }
    out.push('<');
    out.push_str(name);
    if depth == 0 {
        out.push_str(" xmlns=\"http://www.w3.org/2000/svg\"");
    }
    for attribute in node.attributes() {
        let name = attribute.name();
        let plain = match attribute.namespace() {
            None => true,
            Some(XLINK) => name == "href",
            Some(_) => false,
        };
        if !plain || !ATTRIBUTES.contains(&name) {
            return invalid(&format!(
                "has the attribute '{}', which is not allowed: save it as plain SVG",
                short(name)
            ));
        }
        check_value(name, attribute.value())?;
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(attribute.value(), out);
        out.push('"');
    }
    out.push('>');
    for child in node.children() {
        if child.is_element() {
            write_element(child, depth + 1, out)?;
        } else if child.is_text() {
            escape(child.text().unwrap_or_default(), out);
        } else if child.is_pi() {
            return invalid("has a processing instruction: leave it out");
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
    Ok(())
}

/// References point into the picture itself, and to nothing else.
fn check_value(name: &str, value: &str) -> Result<(), EngineError> {
    let foreign = || {
        invalid(&format!(
            "refers to something outside of itself in '{name}': embed it as shapes"
        ))
    };
    if name == "href" && !is_fragment(value.trim()) {
        return foreign();
    }
    let folded = value.to_ascii_lowercase();
    // A backslash may spell `url` in CSS, and colons lead to schemes.
    if folded.contains('\\') || folded.contains("javascript:") || folded.contains("data:") {
        return foreign();
    }
    let mut rest = folded.as_str();
    while let Some(at) = rest.find("url") {
        rest = &rest[at + 3..];
        let Some(inner) = rest.trim_start().strip_prefix('(') else {
            continue;
        };
        let target = inner.split(')').next().unwrap_or_default();
        if !is_fragment(target.trim().trim_matches(['\'', '"'])) {
            return foreign();
        }
    }
    Ok(())
}

fn is_fragment(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|id| {
        !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
    })
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(inside: &str) -> String {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>{inside}</svg>"
        )
    }

    #[test]
    fn shapes_and_references_inside_are_written_anew() {
        let text = svg(
            "<!-- x --><defs><linearGradient id='a'/></defs><rect fill='url(#a)' width='1'/><use xlink:href='#a'/>",
        );
        assert_eq!(
            rewrite(&text).unwrap(),
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><defs><linearGradient id=\"a\"></linearGradient></defs>\
             <rect fill=\"url(#a)\" width=\"1\"></rect><use href=\"#a\"></use></svg>"
        );
    }

    #[test]
    fn whatever_could_run_or_fetch_is_refused() {
        for inside in [
            "<script>alert(1)</script>",
            "<rect onload='alert(1)'/>",
            "<rect style='fill:url(https://evil.example)'/>",
            "<rect fill='url(https://evil.example/a.svg#b)'/>",
            "<rect fill='URL( \"//evil.example\" )'/>",
            "<rect fill='u\\72l(https://evil.example)'/>",
            "<image href='https://evil.example/a.png'/>",
            "<use href='https://evil.example/a.svg#b'/>",
            "<use xlink:href='data:image/svg+xml,x'/>",
            "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>",
            "<a href='javascript:alert(1)'/>",
            "<animate attributeName='href' to='javascript:alert(1)'/>",
            "<style>@import url(https://evil.example)</style>",
            "<html:script xmlns:html='http://www.w3.org/1999/xhtml'/>",
            "<?xml-stylesheet href='https://evil.example'?>",
        ] {
            assert!(rewrite(&svg(inside)).is_err(), "{inside}");
        }
        let entity = "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'>&a;</svg>";
        assert!(rewrite(entity).is_err());
        assert!(rewrite("<svg><rect/></svg>").is_err(), "no namespace");
    }

    #[test]
    fn depth_has_an_end() {
        let text = svg(&format!("{}{}", "<g>".repeat(100), "</g>".repeat(100)));
        assert!(rewrite(&text).is_err());
    }
}
