//! Performing a bulk request, one operation at a time.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Value, json};

use super::{BulkMethod, BulkRequest, Operation, references};
use crate::Attributes;
use crate::error::ScimError;
use crate::schema::ResourceType;
use crate::urn;

/// A bulk request that is being performed.
///
/// Operations come in the order of the request, but for this: what a `bulkId` refers to is made before it is needed.
/// Where resources need each other in a circle, one is made without its reference, which a PATCH adds later.
pub struct BulkRun {
    operations: Vec<Operation>,
    fail_on_errors: Option<usize>,
    steps: VecDeque<Step>,
    /// The step whose outcome is awaited.
    current: Option<Step>,
    /// What became of each operation that was performed.
    entries: Vec<Option<BulkOutcome>>,
    /// The ids of what was made, by `bulkId`.
    ids: HashMap<String, String>,
    errors: usize,
}

/// One call to the server.
#[derive(Clone)]
pub struct BulkCall {
    /// The method.
    pub method: BulkMethod,
    /// The type of the resource.
    pub resource_type: &'static ResourceType,
    /// The id of the resource; none for a POST.
    pub id: Option<String>,
    /// The version that the client expects, as in `If-Match`.
    pub version: Option<String>,
    /// The body; none for a DELETE.
    pub data: Option<Value>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOutcome {
    /// The status that the single request would have had.
    pub status: u16,
    /// The id of the resource. A POST that succeeds must have one.
    pub id: Option<String>,
    /// The URL of the resource.
    pub location: Option<String>,
    /// Its entity tag.
    pub version: Option<String>,
    /// Why it failed.
    pub error: Option<ScimError>,
}

#[derive(Clone)]
enum Step {
    /// Perform an operation, without what refers to these `bulkId`s.
    Perform { index: usize, open: HashSet<String> },
    /// Put back what an earlier step left out.
    Complete { index: usize, patch: Value },
}

impl BulkOutcome {
    /// It worked.
    pub fn success(status: u16) -> Self {
        Self {
            status,
            id: None,
            location: None,
            version: None,
            error: None,
        }
    }

    /// It did not. `location` is where the resource is, unless a POST failed.
    pub fn failure(error: ScimError, location: Option<String>) -> Self {
        Self {
            status: error.status,
            id: None,
            location,
            version: None,
            error: Some(error),
        }
    }

    /// The same with an id.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..self
        }
    }

    /// The same with a URL.
    #[must_use]
    pub fn with_location(self, location: impl Into<String>) -> Self {
        Self {
            location: Some(location.into()),
            ..self
        }
    }

    /// The same with an entity tag.
    #[must_use]
    pub fn with_version(self, version: impl Into<String>) -> Self {
        Self {
            version: Some(version.into()),
            ..self
        }
    }
}

impl BulkRun {
    pub(super) fn new(request: BulkRequest) -> Self {
        let steps = order(&request.operations);
        Self {
            entries: vec![None; request.operations.len()],
            operations: request.operations,
            fail_on_errors: request.fail_on_errors,
            steps,
            current: None,
            ids: HashMap::new(),
            errors: 0,
        }
    }

    /// The next call to perform; its outcome goes to [`BulkRun::record`]. `None` when all is done or `failOnErrors` is
    /// reached. Operations whose references cannot be resolved are answered with 409 here, without a call.
    pub fn next_call(&mut self) -> Option<BulkCall> {
        loop {
            if self.fail_on_errors.is_some_and(|limit| self.errors >= limit) {
                return None;
            }
            let step = self.steps.pop_front()?;
            match self.call(&step) {
                Ok(Some(call)) => {
                    self.current = Some(step);
                    return Some(call);
                }
                Ok(None) => {}
                Err(error) => self.settle(&step, BulkOutcome::failure(error, None)),
            }
        }
    }

    /// Takes the outcome of the last call.
    pub fn record(&mut self, outcome: BulkOutcome) {
        let Some(step) = self.current.take() else { return };
        let index = step.index();
        if let (Some(bulk_id), Some(id)) = (&self.operations[index].bulk_id, &outcome.id) {
            self.ids.insert(bulk_id.clone(), id.clone());
        }
        self.settle(&step, outcome);
    }

    /// The body of the answer: an entry for each operation that was performed, in the order of the request.
    pub fn finish(mut self) -> Value {
        for step in std::mem::take(&mut self.steps) {
            if matches!(step, Step::Complete { .. }) {
                let error = ScimError::conflict(
                    "the request stopped before the references of this resource were set",
                );
                self.settle(&step, BulkOutcome::failure(error, None));
            }
        }
        let entries: Vec<Value> = self
            .operations
            .iter()
            .zip(self.entries)
            .filter_map(|(operation, outcome)| outcome.map(|outcome| entry(operation, outcome)))
            .collect();
        json!({ "schemas": [urn::BULK_RESPONSE], "Operations": entries })
    }

    /// The call of a step; `None` if there is nothing left to complete.
    fn call(&mut self, step: &Step) -> Result<Option<BulkCall>, ScimError> {
        let operation = &self.operations[step.index()];
        let (resource_type, version) = (operation.resource_type, operation.version.clone());
        match step {
            Step::Perform { index, open } => {
                let mut data = operation.data.clone();
                if let Some(data) = data.as_mut().filter(|_| !open.is_empty())
                    && let Some(patch) = references::take_out(data, open)
                {
                    self.steps.push_back(Step::Complete { index: *index, patch });
                }
                let operation = &self.operations[*index];
                if let Some(data) = &mut data {
                    references::substitute(data, &self.ids);
                }
                let id = match operation.id.as_deref().map(|id| (id, references::reference(id))) {
                    Some((_, Some(bulk_id))) => Some(self.ids.get(bulk_id).cloned().ok_or_else(unresolved)?),
                    Some((id, None)) => Some(id.to_owned()),
                    None => None,
                };
                if references::of_operation(operation)
                    .iter()
                    .any(|bulk_id| !open.contains(bulk_id) && !self.ids.contains_key(bulk_id))
                {
                    return Err(unresolved());
                }
                Ok(Some(BulkCall {
                    method: operation.method,
                    resource_type,
                    id,
                    version,
                    data,
                }))
            }
            Step::Complete { index, patch } => {
                let made = self.entries[*index].as_ref().and_then(|entry| entry.id.clone());
                let Some(id) = made else { return Ok(None) };
                let mut patch = patch.clone();
                references::substitute(&mut patch, &self.ids);
                if references::is_open(&patch) {
                    return Err(unresolved());
                }
                let method = BulkMethod::Patch;
                Ok(Some(BulkCall {
                    method,
                    resource_type,
                    id: Some(id),
                    version: None,
                    data: Some(patch),
                }))
            }
        }
    }

    fn settle(&mut self, step: &Step, outcome: BulkOutcome) {
        match step {
            Step::Perform { index, .. } => {
                self.errors += usize::from(outcome.error.is_some());
                self.entries[*index] = Some(outcome);
            }
            Step::Complete { index, .. } => self.complete(*index, outcome),
        }
    }

    /// The PATCH that puts references back belongs to the POST: its failure is the POST's, though the resource stays.
    fn complete(&mut self, index: usize, outcome: BulkOutcome) {
        let Some(entry) = &mut self.entries[index] else {
            return;
        };
        if let Some(error) = outcome.error {
            self.errors += 1;
            entry.status = error.status;
            entry.error = Some(error);
        } else if outcome.version.is_some() {
            entry.version = outcome.version;
        }
    }
}

impl Step {
    fn index(&self) -> usize {
        match self {
            Self::Perform { index, .. } | Self::Complete { index, .. } => *index,
        }
    }
}

/// Orders the operations: each after those that make what it refers to. A reference back into the operations that are
/// still waiting closes a circle and is left open.
fn order(operations: &[Operation]) -> VecDeque<Step> {
    let makers: HashMap<&str, usize> = operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.method == BulkMethod::Post)
        .filter_map(|(index, operation)| Some((operation.bulk_id.as_deref()?, index)))
        .collect();
    let needs: Vec<Vec<String>> = operations.iter().map(references::of_operation).collect();
    let mut state = vec![State::New; operations.len()];
    let mut steps = VecDeque::with_capacity(operations.len());
    for start in 0..operations.len() {
        // Depth first with a stack of its own, as a chain of references may be as long as the request.
        let mut stack = vec![(start, 0_usize, HashSet::new())];
        if state[start] != State::New {
            continue;
        }
        state[start] = State::Waiting;
        while let Some((index, next, open)) = stack.last_mut() {
            let Some(bulk_id) = needs[*index].get(*next) else {
                state[*index] = State::Placed;
                steps.push_back(Step::Perform {
                    index: *index,
                    open: std::mem::take(open),
                });
                stack.pop();
                continue;
            };
            *next += 1;
            match makers.get(bulk_id.as_str()) {
                Some(&maker) if state[maker] == State::New => {
                    state[maker] = State::Waiting;
                    stack.push((maker, 0, HashSet::new()));
                }
                Some(&maker) if state[maker] == State::Waiting => {
                    open.insert(bulk_id.clone());
                }
                _ => {}
            }
        }
    }
    steps
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Waiting,
    Placed,
}

fn entry(operation: &Operation, outcome: BulkOutcome) -> Value {
    let mut entry = Attributes::new();
    entry.insert("method".into(), operation.method.as_str().into());
    if let Some(bulk_id) = &operation.bulk_id {
        entry.insert("bulkId".into(), bulk_id.as_str().into());
    }
    if let Some(version) = outcome.version {
        entry.insert("version".into(), version.into());
    }
    if let Some(location) = outcome.location {
        entry.insert("location".into(), location.into());
    }
    entry.insert("status".into(), outcome.status.to_string().into());
    if let Some(error) = outcome.error {
        entry.insert("response".into(), error.to_json());
    }
    Value::Object(entry)
}

fn unresolved() -> ScimError {
    ScimError::conflict("the operation refers to a bulkId that no successful POST of this request has")
}
