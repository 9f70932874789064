//! Annotations in the XML form of Pascal VOC: the objects in an image and their boxes.
//!
//! Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010.

use roxmltree::{Document, Node};

/// An object in an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// What it is.
    pub name: String,
    /// Its left, top, right and bottom edge, in pixels.
    pub edges: [f64; 4],
}

/// The objects of an annotation, in its order.
pub fn objects(xml: &str) -> Result<Vec<Object>, String> {
    let document = Document::parse(xml).map_err(|error| error.to_string())?;
    document.root_element().children().filter(|node| node.has_tag_name("object")).map(object).collect()
}

fn object(node: Node) -> Result<Object, String> {
    let name = text(node, "name")?.to_owned();
    let bounds = child(node, "bndbox")?;
    let edge = |tag| -> Result<f64, String> {
        let text = text(bounds, tag)?;
        text.parse().ok().filter(|edge: &f64| edge.is_finite()).ok_or_else(|| format!("`{text}` is no {tag}"))
    };
    Ok(Object { edges: [edge("xmin")?, edge("ymin")?, edge("xmax")?, edge("ymax")?], name })
}

fn child<'a, 'input>(node: Node<'a, 'input>, tag: &str) -> Result<Node<'a, 'input>, String> {
    node.children().find(|child| child.has_tag_name(tag)).ok_or_else(|| format!("an object has no `{tag}`"))
}

fn text<'a>(node: Node<'a, '_>, tag: &str) -> Result<&'a str, String> {
    Ok(child(node, tag)?.text().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_in_order() {
        let xml = "<annotation><size><width>9</width></size>\
            <object><name> WBC </name><bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>\
            <object><bndbox><ymax>8</ymax><xmin>5</xmin><ymin>6</ymin><xmax>7</xmax></bndbox><name>RBC</name></object>\
            </annotation>";
        assert_eq!(
            objects(xml).unwrap(),
            [
                Object { name: "WBC".into(), edges: [1.0, 2.5, 3.0, 4.0] },
                Object { name: "RBC".into(), edges: [5.0, 6.0, 7.0, 8.0] },
            ]
        );
        assert_eq!(objects("<annotation/>").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let error = |xml: &str| objects(xml).unwrap_err();
        assert_eq!(error("<a><object><name>x</name></object></a>"), "an object has no `bndbox`");
        let bounds = "<a><object><name>x</name><bndbox><xmin>nan</xmin></bndbox></object></a>";
        assert_eq!(error(bounds), "`nan` is no xmin");
        assert!(!error("<a><b></a>").is_empty());
        assert!(!error("").is_empty());
    }
}
