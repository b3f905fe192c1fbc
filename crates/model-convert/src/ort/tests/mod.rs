// SPDX-License-Identifier: MPL-2.0

//! A small model with every fused operator is converted; other and damaged files are refused without a panic.

mod writer;

use super::*;
use crate::graph::{Attribute, FLOAT, Graph, INT8, UINT8};
use writer::{Field, Fields};

fn node<'a>(op_type: &'a str, inputs: &'a [&'a str], output: &'a [&'a str], attributes: Vec<Fields<'a>>) -> Fields<'a> {
    let domain = if op_type == "If" { "" } else { "com.microsoft" };
    vec![
        (2, Field::String(domain)),
        (5, Field::String(op_type)),
        (8, Field::Strings(inputs)),
        (9, Field::Strings(output)),
        (10, Field::Tables(attributes)),
    ]
}

fn attribute<'a>(name: &'a str, kind: i32, field: usize, value: Field<'a>) -> Fields<'a> {
    vec![(0, Field::String(name)), (2, Field::I32(kind)), (field, value)]
}

fn tensor<'a>(name: &'a str, data_type: i32, dims: &'a [i64], data: &'a [u8]) -> Fields<'a> {
    vec![(0, Field::String(name)), (2, Field::I64s(dims)), (3, Field::I32(data_type)), (4, Field::Bytes(data))]
}

/// The type of a value: floats, a symbolic dimension and one of four.
fn float_type(name: &str) -> Fields<'_> {
    let symbolic = vec![(0, Field::Table(vec![(2, Field::String("batch"))]))];
    let fixed = vec![(0, Field::Table(vec![(1, Field::I64(4))]))];
    let shape = vec![(0, Field::Tables(vec![symbolic, fixed]))];
    let tensor = vec![(0, Field::I32(FLOAT)), (1, Field::Table(shape))];
    let info = vec![(1, Field::U8(1)), (2, Field::Table(tensor))];
    vec![(0, Field::String(name)), (2, Field::Table(info))]
}

/// A graph in which the nodes are not in the order of execution.
fn main_graph<'a>() -> Fields<'a> {
    let branch = vec![(2, Field::Tables(vec![node("FusedMatMul", &["b", "b"], &["inner"], vec![])]))];
    let transposed = attribute("transB", 2, 4, Field::I64(1));
    let alpha = attribute("alpha", 1, 3, Field::F32(0.5));
    let mut conditional =
        node("If", &["condition"], &["chosen"], vec![attribute("then_branch", 5, 7, Field::Table(branch))]);
    conditional.push((12, Field::Strings(&["d"])));
    let nodes = vec![
        conditional,
        node("FusedConv", &["c", "kernel"], &["d"], vec![attribute("activation", 3, 5, Field::String("Relu"))]),
        node("FusedMatMul", &["b", "b"], &["c"], vec![transposed, alpha]),
        node("MatMulIntegerToFloat", &["a", "w", "s", "s", "z", "z"], &["b"], vec![]),
        node("DynamicQuantizeMatMul", &["x", "w", "s", "z", "bias"], &["a"], vec![]),
    ];
    vec![
        (0, Field::Tables(vec![tensor("w", UINT8, &[1, 4], &[0, 127, 128, 255]), tensor("z", UINT8, &[], &[128])])),
        (1, Field::Tables(vec![float_type("x")])),
        (2, Field::Tables(nodes)),
        (5, Field::Strings(&["x", "w"])),
        (6, Field::Strings(&["chosen"])),
    ]
}

fn model(graph: Fields<'_>) -> Vec<u8> {
    let opset = |domain, version| vec![(0, Field::String(domain)), (1, Field::I64(version))];
    let opsets = vec![opset("", 17), opset("com.microsoft", 1), opset("ai.onnx.ml", 3)];
    writer::file(&vec![(1, Field::Table(vec![(1, Field::Tables(opsets)), (7, Field::Table(graph))]))])
}

fn rewritten(file: &[u8]) -> Graph<'_> {
    let buffer: &'static Buffer<'_> = Box::leak(Box::new(Buffer::new(Box::leak(file.to_vec().into_boxed_slice()))));
    let table = buffer.root().and_then(|root| root.table(1)).expect("a session").expect("a model");
    let mut graph = read::graph(table.table(7).expect("a model").expect("a graph"), "main").expect("a valid graph");
    rewrite::expand_fused_operators(&mut graph).expect("known operators");
    graph
}

#[test]
fn fused_operators_become_standard_ones_in_the_order_of_execution() {
    let file = model(main_graph());
    let graph = rewritten(&file);
    let operators: Vec<_> = graph.nodes.iter().map(|node| node.op_type).collect();
    let mut expected = vec!["DynamicQuantizeLinear", "MatMulInteger", "Mul", "Cast", "Mul", "Add"];
    expected.extend(["MatMulInteger", "Mul", "Cast", "Mul", "Transpose", "MatMul", "Mul", "Conv", "Relu", "If"]);
    let (mut found, mut sorted) = (operators.clone(), expected.clone());
    found.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    assert_eq!(operators.last(), Some(&"If"), "its branch uses the output of Relu");
    let mut known = vec!["x", "w", "s", "z", "bias", "kernel", "condition", ""];
    known.extend(graph.initializers.iter().map(|tensor| tensor.name.as_ref()));
    for node in &graph.nodes {
        assert_eq!(node.domain, "");
        for input in &node.inputs {
            assert!(known.contains(&input.as_ref()), "{input} is used before it is computed");
        }
        known.extend(node.outputs.iter().map(AsRef::as_ref));
    }
    let Some(Attribute::Graph(branch)) = graph.nodes.last().and_then(|node| node.attribute("then_branch")) else {
        panic!("the branch is missing");
    };
    assert_eq!(branch.nodes.iter().map(|node| node.op_type).collect::<Vec<_>>(), ["MatMul", "Mul"]);
}

#[test]
fn quantized_weights_become_signed_with_their_zero_points() {
    let file = model(main_graph());
    let graph = rewritten(&file);
    let tensor = |name: &str| graph.initializers.iter().find(|tensor| tensor.name == name).expect("a tensor");
    assert_eq!((tensor("w").data_type, tensor("z").data_type), (INT8, INT8));
    assert_eq!(*tensor("w").raw_data, [-128_i8, -1, 0, 127].map(i8::cast_unsigned));
    assert_eq!(*tensor("z").raw_data, [0]);
}

#[test]
fn the_same_file_always_gives_the_same_bytes() {
    let file = model(main_graph());
    let onnx = to_onnx(&file).expect("a valid model");
    assert!((0..20).all(|_| to_onnx(&file).as_ref() == Ok(&onnx)));
    let contains = |part: &str| onnx.windows(part.len()).any(|window| window == part.as_bytes());
    assert!(contains("batch") && contains("com.microsoft") && !contains("ai.onnx.ml") && !contains("Fused"));
}

#[test]
fn files_of_other_formats_are_refused() {
    for file in [&b""[..], b"ORTM", b"\x08\0\0\0", b"\x08\x07\x12\x04 an ONNX file", &[0xff; 64]] {
        assert!(to_onnx(file).is_err());
    }
    assert!(to_onnx(b"\xff\xff\xff\xffORTM").is_err());
}

#[test]
fn graphs_that_are_nested_too_deeply_are_refused() {
    let mut graph = main_graph();
    for _ in 0..9 {
        let nested = attribute("then_branch", 5, 7, Field::Table(graph));
        graph = vec![(2, Field::Tables(vec![node("If", &[], &["y"], vec![nested])]))];
    }
    assert_eq!(to_onnx(&model(graph)), Err(Malformed("graphs are nested too deeply")));
}

#[test]
fn a_truncated_file_is_refused() {
    let file = model(main_graph());
    // The last table may end with unused bytes.
    for len in 0..file.len() - 8 {
        assert!(to_onnx(&file[..len]).is_err(), "the first {len} of {} bytes", file.len());
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let original = model(main_graph());
    let mut seed = 3_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let (mut refused, mut accepted) = (0, 0);
    for round in 0..20_000 {
        let mut file = original.clone();
        for _ in 0..1 + round % 4 {
            file[8 + random(original.len() - 8)] = random(256) as u8;
        }
        match to_onnx(&file) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && accepted > 0, "{refused} refused, {accepted} accepted: the damage is not well chosen");
}
