// SPDX-License-Identifier: MPL-2.0

//! Reads a file of weights (a state dict) in the format that PyTorch wrote before version 1.6.
//!
//! It begins with five pickles: a magic number, the protocol version, properties of the machine, the tensors by name
//! with references to their storages, and the order of the storages. The storages follow: for each the number of
//! elements and the elements themselves.

mod pickle;

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

use crate::pytorch::pickle::{Value, take};

/// The lower eight of the ten bytes of the magic number.
const MAGIC: i64 = 0xa86a_20f9_469c_fc6c_u64.cast_signed();
/// Limit for the elements of a tensor or storage.
const MAX_ELEMENTS: usize = 1 << 28;

/// A tensor of floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub data: Vec<f32>,
}

/// Tensors by name.
#[derive(Debug)]
pub struct Weights(HashMap<String, Tensor>);

impl Weights {
    /// Whether the file begins with the magic number.
    pub fn is_weights(mut file: &[u8]) -> bool {
        pickle::read(&mut file).is_ok_and(|value| value == Value::Int(MAGIC))
    }

    /// Reads a file. Tensors of integers (counters of the training) are left out.
    pub fn read(mut file: &[u8]) -> Result<Self> {
        let bytes = &mut file;
        ensure!(pickle::read(bytes)? == Value::Int(MAGIC), "it is not a file of weights that PyTorch before 1.6 wrote");
        let (_version, _machine) = (pickle::read(bytes)?, pickle::read(bytes)?);
        let Value::Dict(tensors) = pickle::read(bytes)? else { bail!("it has no state dict") };
        let order = pickle::read(bytes)?;
        let types = tensors.iter().map(|(_, tensor)| storage_of(tensor)).collect::<Result<HashMap<_, _>>>()?;
        let mut storages = HashMap::new();
        for name in order.list()? {
            let name = name.text()?;
            let count = take(bytes, 8)?.iter().rev().fold(0_usize, |count, byte| count << 8 | usize::from(*byte));
            ensure!(count <= MAX_ELEMENTS, "storage {name} is too large");
            match *types.get(name).context("a storage that no tensor uses")? {
                "torch.FloatStorage" => drop(storages.insert(name, floats(take(bytes, count * 4)?))),
                "torch.LongStorage" => drop(take(bytes, count * 8)?),
                other => bail!("storage {name} has the type {other}, which is not supported"),
            }
        }
        let mut weights = HashMap::new();
        for (name, value) in &tensors {
            if let Some(storage) = storages.get(storage_of(value)?.0) {
                let name = name.text()?;
                let tensor = tensor(value, storage).with_context(|| format!("tensor {name} is malformed"))?;
                weights.insert(name.to_owned(), tensor);
            }
        }
        Ok(Self(weights))
    }

    /// A tensor by name.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).with_context(|| format!("there is no tensor {name}"))
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

/// The arguments that a tensor is made from: storage, offset, shape and strides come first.
fn arguments(tensor: &Value) -> Result<&[Value]> {
    match tensor {
        Value::Call(name, arguments) if name == "torch._utils._rebuild_tensor_v2" && arguments.len() >= 4 => {
            Ok(arguments)
        }
        other => bail!("expected a tensor, found {other:?}"),
    }
}

/// The key and the type of a tensor's storage.
fn storage_of(tensor: &Value) -> Result<(&str, &str)> {
    let Value::PersistentId(storage) = &arguments(tensor)?[0] else { bail!("a tensor has no storage") };
    match storage.list()? {
        [_, Value::Global(storage_type), key, ..] => Ok((key.text()?, storage_type)),
        other => bail!("expected a storage, found {other:?}"),
    }
}

/// Copies a tensor's elements from its storage, where strides may put them in any order.
fn tensor(value: &Value, storage: &[f32]) -> Result<Tensor> {
    let [_, offset, shape, strides, ..] = arguments(value)? else { bail!("a tensor has no shape") };
    let sizes = |values: &Value| values.list()?.iter().map(Value::count).collect::<Result<Vec<_>>>();
    let (offset, shape, strides) = (offset.count()?, sizes(shape)?, sizes(strides)?);
    ensure!(shape.len() == strides.len(), "shape and strides have different lengths");
    let length = shape.iter().try_fold(1_usize, |length, side| length.checked_mul(*side));
    ensure!(length.is_some_and(|length| length <= MAX_ELEMENTS), "it is too large");
    let mut positions = vec![offset];
    for (size, stride) in shape.iter().zip(&strides) {
        let along =
            |position: usize| (0..*size).map(move |index| position.saturating_add(index.saturating_mul(*stride)));
        positions = positions.into_iter().flat_map(along).collect();
    }
    let gathered: Option<Vec<f32>> = positions.into_iter().map(|position| storage.get(position).copied()).collect();
    Ok(Tensor { shape, data: gathered.context("its storage is too small")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor_value(offset: i64, shape: &[i64], strides: &[i64]) -> Value {
        let ints = |values: &[i64]| Value::List(values.iter().copied().map(Value::Int).collect());
        let storage =
            vec![Value::Text("storage".into()), Value::Global("torch.FloatStorage".into()), Value::Text("7".into())];
        let parts =
            vec![Value::PersistentId(Box::new(Value::List(storage))), Value::Int(offset), ints(shape), ints(strides)];
        Value::Call("torch._utils._rebuild_tensor_v2".into(), parts)
    }

    #[test]
    fn a_tensor_is_a_strided_view_of_its_storage() {
        let numbers: Vec<f32> = (0..10).map(|number| number as f32).collect();
        let value = tensor_value(2, &[2, 1, 3], &[3, 9, 1]);
        assert_eq!(storage_of(&value).expect("a storage"), ("7", "torch.FloatStorage"));
        let cut = tensor(&value, &numbers).expect("a tensor");
        assert_eq!((cut.shape, cut.data), (vec![2, 1, 3], vec![2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
        assert!(tensor(&tensor_value(5, &[2, 3], &[3, 1]), &numbers).is_err(), "past the end");
        let transposed = tensor(&tensor_value(0, &[3, 2], &[1, 3]), &numbers).expect("a tensor");
        assert_eq!(transposed.data, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(tensor(&tensor_value(-1, &[1], &[1]), &numbers).is_err(), "before the start");
    }

    #[test]
    fn files_of_other_formats_are_refused() {
        assert!(Weights::read(b"").is_err());
        assert!(Weights::read(b"PK\x03\x04").is_err());
        assert!(Weights::read(b"\x80\x02K\x01.").is_err());
    }
}
