"use strict";
// Draws the figures of the page, one after the other, and makes its tables sortable. Nothing is loaded from anywhere:
// the library is in the page, packed.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const DRESS = {
    light: {
      ink: "#1d2126", quiet: "#5b646e", line: "#e3e6e8", paper: "#fdfdfb", grey: "#8b949c", blue: "#0072b2",
      orange: "#d55e00", green: "#00805c", pink: "#b3528f", sky: "#3a97cc", sand: "#b07a00", band: "rgba(0,114,178,.18)",
      ground: [[0, "#f7fafc"], [.35, "#cfdfea"], [.7, "#93b4cd"], [1, "#557f9f"]],
    },
    dark: {
      ink: "#e6e8ea", quiet: "#9aa4ae", line: "#2b3137", paper: "#15181b", grey: "#7d8790", blue: "#4aa8e0",
      orange: "#f08a3c", green: "#3fc79a", pink: "#dd8fbf", sky: "#8ccdf2", sand: "#e3b341", band: "rgba(74,168,224,.22)",
      ground: [[0, "#1b2228"], [.35, "#2b3f4d"], [.7, "#44657c"], [1, "#6f9ab5"]],
    },
  };

  // Names of colours, which begin with a sign that no other word has, become colours; everything else stays.
  const coloured = (value, dress) => {
    if (typeof value === "string") {
      return value[0] === "\u0001" && Object.hasOwn(dress, value.slice(1)) ? dress[value.slice(1)] : value;
    }
    if (Array.isArray(value)) return value.map((one) => coloured(one, dress));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, coloured(one, dress)]));
    }
    return value;
  };

  const laidOut = (figure, dress, narrow) => {
    const layout = coloured(figure.layout, dress);
    const usual = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: dress.ink, size: narrow ? 11 : 12.5,
        family: 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif' },
      margin: { l: narrow ? 54 : 74, r: narrow ? 12 : 24, t: 34, b: 56 }, hovermode: "closest", autosize: true,
      hoverlabel: { bgcolor: dress.paper, bordercolor: dress.quiet, font: { color: dress.ink }, namelength: -1 },
      legend: { orientation: "h", x: 0, y: narrow ? -0.34 : -0.18, yanchor: "top", bgcolor: "rgba(0,0,0,0)" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: dress.quiet, activecolor: dress.ink },
      colorway: [dress.blue, dress.orange, dress.green, dress.pink, dress.sky, dress.sand],
    };
    const made = { ...usual, ...layout, margin: { ...usual.margin, ...layout.margin } };
    for (const name of Object.keys(made)) {
      if (!/^[xy]axis\d*$/.test(name)) continue;
      const axis = made[name];
      made[name] = { gridcolor: dress.line, linecolor: dress.quiet, zerolinecolor: dress.line, zeroline: false,
        automargin: true, exponentformat: "power", ...axis, ...(axis.title ? { title: { standoff: 10, ...axis.title } } : {}) };
    }
    if (made.updatemenus) {
      made.updatemenus = made.updatemenus.map((menu) => ({ bgcolor: dress.paper, bordercolor: dress.quiet,
        font: { color: dress.ink }, ...menu }));
    }
    return made;
  };

  // These buttons and no others: Plotly has one that offers to send the numbers to its makers.
  const SETTINGS = {
    responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "",
    modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
  };

  const draw = (figure, light) => {
    const place = document.getElementById(`plot-${figure.key}`);
    if (!place || !window.Plotly) return Promise.resolve();
    place.querySelector(".unseen")?.remove();
    const dress = DRESS[dark.matches && !light ? "dark" : "light"];
    const narrow = place.clientWidth < 560;
    const data = coloured(figure.data, dress).map((one) => (narrow && one.colorbar ? { ...one, showscale: false } : one));
    return window.Plotly.react(place, data, laidOut(figure, dress, narrow), SETTINGS);
  };

  const drawAll = async (light) => {
    for (const figure of figures) {
      await draw(figure, light);
      if (!light) await new Promise((next) => setTimeout(next));
    }
    document.documentElement.dataset.drawn = figures.length;
  };

  const unpack = async () => {
    const text = atob(document.getElementById("library").textContent);
    const packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i += 1) packed[i] = text.charCodeAt(i);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.body.append(script);
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const key = (row, column) => {
      const text = row.cells[column].textContent.trim();
      const number = parseFloat(text.replaceAll(",", "").replace("−", "-"));
      return { text, number: text === "" || text === "–" ? NaN : number };
    };
    const compare = (a, b, up) => {
      const numbers = !Number.isNaN(a.number) && !Number.isNaN(b.number);
      if (a.text === "" || b.text === "" || a.text === "–" || b.text === "–") {
        return (a.text === "" || a.text === "–" ? 1 : 0) - (b.text === "" || b.text === "–" ? 1 : 0);
      }
      return (numbers ? a.number - b.number : a.text.localeCompare(b.text)) * (up ? 1 : -1);
    };
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const up = cell.ariaSort !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => compare(a, b, up));
        body.append(...rows.map(([, row]) => row));
      });
    });
    const label = document.createElement("label");
    const field = document.createElement("input");
    const count = document.createElement("span");
    field.type = "search";
    count.className = "quiet";
    label.className = "filter";
    label.append("Filter ", field, " ", count);
    const say = (shown) => { count.textContent = `${shown} of ${body.rows.length} rows`; };
    say(body.rows.length);
    field.addEventListener("input", () => {
      const phrase = field.value.toLowerCase().trim();
      const rows = [...body.rows].map((row) => [row, [...row.cells].map((cell) => cell.textContent.toLowerCase()).join(" ")]);
      // rows with these words side by side; where there are none, rows that have them all anywhere
      const wanted = rows.some(([, text]) => text.includes(phrase)) ? [phrase] : phrase.split(/\s+/);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !wanted.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      say(shown);
    });
    table.parentElement.before(label);
  };

  document.querySelectorAll("table.sorted").forEach(sortable);
  if (figures.length) {
    unpack().then(() => drawAll(false));
    dark.addEventListener("change", () => drawAll(false));
    window.addEventListener("beforeprint", () => drawAll(true));
    window.addEventListener("afterprint", () => drawAll(false));
  } else {
    document.documentElement.dataset.drawn = 0;
  }
})();
