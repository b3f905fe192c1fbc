// SPDX-License-Identifier: MPL-2.0

//! The weights in a file that PyTorch wrote before its version 1.6.
//!
//! Five pickles come first: a mark, a version, the machine, the tensors by name with where their numbers are, and the
//! order of the storages. Behind them are the storages: a count each, and the numbers as they lie in memory.

use crate::vision::pickle::{self, Value, take};
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;

/// The mark of such a file: the lower eight bytes of a number of ten.
const MAGIC: i64 = 0xa86a_20f9_469c_fc6c_u64.cast_signed();
/// Longer than this no tensor is.
const MAX_NUMBERS: usize = 1 << 28;

/// A tensor: the length of each side, and the numbers, the last side's running fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The lengths.
    pub sides: Vec<usize>,
    /// The numbers.
    pub numbers: Vec<f32>,
}

/// Tensors by their names.
#[derive(Debug)]
pub struct Weights(HashMap<String, Tensor>);

impl Weights {
    /// Reads a whole file. Tensors of whole numbers are left out.
    pub fn read(mut file: &[u8]) -> Result<Self> {
        let bytes = &mut file;
        ensure!(pickle::read(bytes)? == Value::Int(MAGIC), "it does not begin like a file of weights");
        let (_version, _machine) = (pickle::read(bytes)?, pickle::read(bytes)?);
        let Value::Dict(tensors) = pickle::read(bytes)? else { bail!("it does not hold tensors by name") };
        let order = pickle::read(bytes)?;
        let kinds = tensors.iter().map(|(_, tensor)| storage(tensor)).collect::<Result<HashMap<_, _>>>()?;
        let mut storages = HashMap::new();
        for name in order.list()? {
            let name = name.text()?;
            let count = take(bytes, 8)?.iter().rev().fold(0_usize, |count, byte| count << 8 | usize::from(*byte));
            ensure!(count <= MAX_NUMBERS, "storage {name} is too large");
            match *kinds.get(name).context("a storage of nothing")? {
                "torch.FloatStorage" => drop(storages.insert(name, floats(take(bytes, count * 4)?))),
                "torch.LongStorage" => drop(take(bytes, count * 8)?),
                other => bail!("storage {name} is a {other}"),
            }
        }
        let mut weights = HashMap::new();
        for (name, value) in &tensors {
            if let Some(numbers) = storages.get(storage(value)?.0) {
                let name = name.text()?;
                let tensor = tensor(value, numbers).with_context(|| format!("tensor {name} is not whole"))?;
                weights.insert(name.to_owned(), tensor);
            }
        }
        Ok(Self(weights))
    }

    /// A tensor.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).with_context(|| format!("there is no tensor {name}"))
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

/// What a tensor is made of: storage, offset, sides and strides come first.
fn parts(tensor: &Value) -> Result<&[Value]> {
    match tensor {
        Value::Call(name, parts) if name == "torch._utils._rebuild_tensor_v2" && parts.len() >= 4 => Ok(parts),
        other => bail!("expected a tensor, found {other:?}"),
    }
}

/// The name and the kind of the storage that a tensor's numbers are in.
fn storage(tensor: &Value) -> Result<(&str, &str)> {
    let Value::Outside(storage) = &parts(tensor)?[0] else { bail!("a tensor without storage") };
    match storage.list()? {
        [_, Value::Global(kind), name, ..] => Ok((name.text()?, kind)),
        other => bail!("expected a storage, found {other:?}"),
    }
}

/// Gathers a tensor's numbers from its storage, where they may lie in any order.
fn tensor(value: &Value, numbers: &[f32]) -> Result<Tensor> {
    let [_, offset, sides, strides, ..] = parts(value)? else { bail!("a tensor without a shape") };
    let counts = |values: &Value| values.list()?.iter().map(Value::count).collect::<Result<Vec<_>>>();
    let (offset, sides, strides) = (offset.count()?, counts(sides)?, counts(strides)?);
    ensure!(sides.len() == strides.len(), "its shape is contradictory");
    let length = sides.iter().try_fold(1_usize, |length, side| length.checked_mul(*side));
    ensure!(length.is_some_and(|length| length <= MAX_NUMBERS), "it is too large");
    let mut places = vec![offset];
    for (side, stride) in sides.iter().zip(&strides) {
        let along = |place: usize| (0..*side).map(move |index| place.saturating_add(index.saturating_mul(*stride)));
        places = places.into_iter().flat_map(along).collect();
    }
    let gathered: Option<Vec<f32>> = places.into_iter().map(|place| numbers.get(place).copied()).collect();
    Ok(Tensor { sides, numbers: gathered.context("its storage is too small")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor_value(offset: i64, sides: &[i64], strides: &[i64]) -> Value {
        let ints = |values: &[i64]| Value::List(values.iter().copied().map(Value::Int).collect());
        let storage =
            vec![Value::Text("storage".into()), Value::Global("torch.FloatStorage".into()), Value::Text("7".into())];
        let parts =
            vec![Value::Outside(Box::new(Value::List(storage))), Value::Int(offset), ints(sides), ints(strides)];
        Value::Call("torch._utils._rebuild_tensor_v2".into(), parts)
    }

    #[test]
    fn a_tensor_is_a_part_of_its_storage() {
        let numbers: Vec<f32> = (0..10).map(|number| number as f32).collect();
        let value = tensor_value(2, &[2, 1, 3], &[3, 9, 1]);
        assert_eq!(storage(&value).expect("a storage"), ("7", "torch.FloatStorage"));
        let cut = tensor(&value, &numbers).expect("a tensor");
        assert_eq!((cut.sides, cut.numbers), (vec![2, 1, 3], vec![2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
        assert!(tensor(&tensor_value(5, &[2, 3], &[3, 1]), &numbers).is_err(), "beyond the end");
        let turned = tensor(&tensor_value(0, &[3, 2], &[1, 3]), &numbers).expect("a tensor");
        assert_eq!(turned.numbers, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(tensor(&tensor_value(-1, &[1], &[1]), &numbers).is_err(), "before the beginning");
    }

    #[test]
    fn other_files_are_no_weights() {
        assert!(Weights::read(b"").is_err());
        assert!(Weights::read(b"PK\x03\x04").is_err());
        assert!(Weights::read(b"\x80\x02K\x01.").is_err());
    }
}
