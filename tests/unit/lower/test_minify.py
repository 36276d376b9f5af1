"""WGSL in fewer bytes, doing the same."""

from __future__ import annotations

from compiler.lower.minify import minify

HEAD = """@group(0) @binding(0) var<storage, read_write> out_ptr : array<f32>;
@group(0) @binding(1) var<storage, read> x_ptr : array<f32>;
@compute @workgroup_size(64, 1, 1)
fn main(
@builtin(workgroup_id) blockIdx : vec3<u32>,
@builtin(num_workgroups) gridDim : vec3<u32>,
@builtin(local_invocation_id) threadIdx : vec3<u32>
) {
let v__1 : i32 = i32(blockIdx.z * gridDim.x + blockIdx.x);
"""
START = """@group(0)@binding(0)var<storage,read_write>{}:array<f32>;
@group(0)@binding(1)var<storage,read>{}:array<f32>;
@compute @workgroup_size(64,1,1)
fn main(
@builtin(workgroup_id)blockIdx:vec3<u32>,
@builtin(local_invocation_id)threadIdx:vec3<u32>
){{
"""


def body(*lines: str) -> list[str]:
    """The lines of a kernel that are left of these."""
    text = minify(HEAD + "\n".join([*lines, "}"]) + "\n")
    assert text.startswith(START.format("a", "b"))
    return text[len(START.format("a", "b")) :].splitlines()[:-1]


def test_an_expression_that_has_a_name_is_called_by_it() -> None:
    assert body(
        "let cse_v1 : i32 = ((v__1 * 64i) + i32(threadIdx.x));",
        "out_ptr[((v__1 * 64i) + i32(threadIdx.x))] = x_ptr[((v__1 * 64i) + i32(threadIdx.x))];",
    ) == [
        "let c=i32(blockIdx.x);",
        "let d=i32(threadIdx.x);",
        "let e=c*64+d;",
        "a[e]=b[e];",
    ]


def test_names_end_with_their_block_and_unused_ones_go() -> None:
    assert body(
        "if ((v__1 < 3i)) {",
        "let cse_v1 : i32 = (v__1 * 2i);",
        "out_ptr[(v__1 * 2i)] = 1.000000e+00f;",
        "let cse_v2 : i32 = (v__1 * 5i);",
        "}",
        "out_ptr[(v__1 * 2i)] = 2.500000e-03f;",
    ) == [
        "let c=i32(blockIdx.x);",
        "if((c<3)){",
        "let d=c*2;",
        "a[d]=1f;",
        "}",
        "a[c*2]=0.0025f;",
    ]


def test_a_block_takes_the_names_of_one_that_has_ended() -> None:
    assert body(
        "for (var v_1 : i32 = 0; v_1 < 2i; v_1++) {",
        "let v_2 : f32 = x_ptr[v_1];",
        "out_ptr[v_1] = (v_2 * v_2);",
        "if ((v_1 < v__1)) {",
        "let v_3 : f32 = x_ptr[(v_1 + v__1)];",
        "out_ptr[v_1] = (v_3 * v_2);",
        "}",
        "}",
        "let v_4 : f32 = x_ptr[v__1];",
        "out_ptr[v__1] = (v_4 * v_4);",
    ) == [
        "let c=i32(blockIdx.x);",
        "for(var d=0;d<2;d++){",
        "let e=b[d];",
        "a[d]=e*e;",
        "if((d<c)){",
        "let f=b[d+c];",
        "a[d]=f*e;",
        "}",
        "}",
        "let e=b[c];",
        "a[c]=e*e;",
    ]


def test_what_may_have_changed_is_read_again() -> None:
    assert body(
        "var v_1 : array<f32, 1>;",
        "v_1[0i] = x_ptr[v__1];",
        "let v_2 : f32 = (v_1[0i] + 1.000000e+00f);",
        "v_1[0i] = (v_1[0i] + 1.000000e+00f);",
        "let v_3 : f32 = out_ptr[v__1];",
        "out_ptr[v__1] = (v_1[0i] - -3.000000e+38f);",
        "out_ptr[(v__1 + 1i)] = (out_ptr[v__1] + (v_2 - v_3));",
    ) == [
        "let c=i32(blockIdx.x);",
        "var d:f32;",
        "d=b[c];",
        "let e=d+1f;",
        "d=d+1f;",
        "let f=a[c];",
        "a[c]=d- -3e38f;",
        "a[c+1]=a[c]+(e-f);",
    ]


def test_what_is_only_read_is_read_once() -> None:
    lines = body("let v_1 : f32 = x_ptr[v__1];", "out_ptr[v__1] = (x_ptr[v__1] * x_ptr[v__1]);")
    assert lines[1:] == ["let d=b[c];", "a[c]=d*d;"]


def test_parentheses_that_change_nothing_go() -> None:
    lines = body(
        "out_ptr[((((v__1 * 2i) + 1i) + (v__1 * (v__1 + 3i))))] = (x_ptr[0i] * (x_ptr[1i] + 1f));"
    )
    assert lines[1:] == ["a[c*2+1+(c*(c+3))]=b[0]*(b[1]+1f);"]


def test_parentheses_beside_a_comparison_stay() -> None:
    lines = body("out_ptr[0i] = select(0f, 1f, (v__1 == (v__1 & 3i)));")
    assert "==(" in lines[-1]
    lines = body("out_ptr[0i] = select(0f, 1f, (v__1 != (v__1 & 3i)));")
    assert "!=(" in lines[-1]
