//! Some suites of the workspace, and some of their tests left out.

/// A test target: its package, and its name.
pub(crate) type Suite = (&'static str, &'static str);

/// Suites, less what is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    /// The suites.
    pub(crate) suites: &'static [Suite],
    /// What is left out of them.
    pub(crate) leave: &'static [Leave],
}

/// A test that is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leave {
    /// The suite it is in.
    pub(crate) suite: Suite,
    /// Its full name, or a module's with `::` at the end.
    pub(crate) name: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
}

impl Selection {
    /// In the words of `cargo nextest`.
    pub(crate) fn filterset(&self) -> String {
        let suites = self.suites.iter().map(|suite| {
            let mut filter = format!("binary_id(={}::{})", suite.0, suite.1);
            for leave in self.leave.iter().filter(|leave| leave.suite == *suite) {
                let tests = if leave.name.ends_with("::") {
                    format!("/^{}/", leave.name)
                } else {
                    format!("={}", leave.name)
                };
                filter = format!("({filter} - test({tests}))");
            }
            filter
        });
        suites.collect::<Vec<_>>().join(" + ")
    }

    /// Whether a test of this suite is in it.
    pub(crate) fn has(&self, suite: Suite, test: &str) -> bool {
        !self
            .leave
            .iter()
            .any(|leave| leave.suite == suite && leave.is(test))
    }
}

impl Leave {
    fn is(&self, test: &str) -> bool {
        test == self.name || (self.name.ends_with("::") && test.starts_with(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELECTION: Selection = Selection {
        suites: &[("a", "it"), ("b", "it")],
        leave: &[
            Leave {
                suite: ("b", "it"),
                name: "one::test",
                reason: "",
            },
            Leave {
                suite: ("b", "it"),
                name: "module::",
                reason: "",
            },
        ],
    };

    #[test]
    fn the_filterset_names_each_suite_and_what_it_lacks() {
        assert_eq!(
            SELECTION.filterset(),
            "binary_id(=a::it) + ((binary_id(=b::it) - test(=one::test)) - test(/^module::/))"
        );
    }

    #[test]
    fn a_name_leaves_out_itself_and_a_module_what_is_in_it() {
        let b = |test| SELECTION.has(("b", "it"), test);
        assert!(!b("one::test") && !b("module::any") && b("one::test_of_more"));
        assert!(SELECTION.has(("a", "it"), "one::test"));
    }
}
