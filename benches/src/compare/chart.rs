//! The ratios as bars on a logarithmic scale. On a ground of its own, so that it can be read in a dark page too.

use anyhow::{Result, anyhow};
use plotters::prelude::{
    ChartBuilder, Color, IntoDrawingArea, IntoFont, IntoLogRange, IntoSegmentedCoord, RGBColor, Rectangle,
    SVGBackend, SegmentValue, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::times;

const GROUND: RGBColor = RGBColor(250, 250, 248);
const INK: RGBColor = RGBColor(40, 44, 52);
const BAR: RGBColor = RGBColor(52, 116, 178);
const OURS: RGBColor = RGBColor(206, 112, 38);
const WIDTH: u32 = 860;
const HEADING: u32 = 40;
const ABOVE_AND_BELOW: u32 = 90;
const A_BAR: u32 = 30;

/// One engine.
pub struct Bar {
    pub name: &'static str,
    pub times: f64,
}

/// A panel for each kind of question, as SVG.
pub fn draw(heading: &str, groups: &[(&str, Vec<Bar>)]) -> Result<String> {
    let heights = groups.iter().map(|(_, bars)| panel_height(bars.len()));
    let height = HEADING + heights.sum::<u32>();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&GROUND).map_err(failed)?;
        let mut rest = area.titled(heading, ("sans-serif", 20).into_font().color(&INK)).map_err(failed)?;
        for (title, bars) in groups {
            let (panel, below) = rest.split_vertically(panel_height(bars.len()));
            panel_of(&panel, title, bars)?;
            rest = below;
        }
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

fn panel_height(bars: usize) -> u32 {
    ABOVE_AND_BELOW + A_BAR * (1 + u32::try_from(bars).unwrap_or(0))
}

type Area<'a> = plotters::drawing::DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel_of(panel: &Area<'_>, title: &str, bars: &[Bar]) -> Result<()> {
    let mut names = vec!["ours"];
    names.extend(bars.iter().map(|bar| bar.name));
    let least = bars.iter().map(|bar| bar.times).fold(0.5, f64::min) / 1.5;
    let most = bars.iter().map(|bar| bar.times).fold(10.0, f64::max) * 4.0;
    let last = i32::try_from(names.len() - 1)?;
    let mut chart = ChartBuilder::on(panel)
        .caption(title, ("sans-serif", 16).into_font().color(&INK))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(100)
        .build_cartesian_2d((least..most).log_scale(), (0..last).into_segmented())
        .map_err(failed)?;
    let label = |value: &SegmentValue<i32>| match value {
        SegmentValue::CenterOf(place) => {
            // From above, ours first.
            usize::try_from(last - place)
                .ok()
                .and_then(|place| names.get(place))
                .map_or("", |name| name)
                .to_owned()
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .axis_style(INK)
        .bold_line_style(INK.mix(0.25))
        .light_line_style(INK.mix(0.06))
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .y_labels(names.len())
        .y_label_formatter(&label)
        .x_label_formatter(&|ratio| times(*ratio))
        .x_desc("times our CPU time")
        .draw()
        .map_err(failed)?;
    let of_ours = [(1.0, OURS)];
    let shown = of_ours.into_iter().chain(bars.iter().map(|bar| (bar.times, BAR)));
    let style =
        TextStyle::from(("sans-serif", 13).into_font()).color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (place, (ratio, colour)) in (0..=last).rev().zip(shown) {
        let ends = [(least, SegmentValue::Exact(place)), (ratio, SegmentValue::Exact(place + 1))];
        let mut bar = Rectangle::new(ends, colour.filled());
        bar.set_margin(5, 5, 0, 0);
        chart.draw_series([bar]).map_err(failed)?;
        let at = (ratio * 1.06, SegmentValue::CenterOf(place));
        chart.draw_series([Text::new(times(ratio), at, style.clone())]).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}
